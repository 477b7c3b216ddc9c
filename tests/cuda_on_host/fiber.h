// A function that runs on a stack of its own and can be left and entered again, all on one thread.
#pragma once

#include <functional>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_on_host {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next Enter() calls body(). The last body has ended.
  void Start(std::function<void()> body);
  // From outside: runs the body until it leaves or ends.
  void Enter();
  // From inside: back to where Enter() was called.
  void Leave();

 private:
  static void Main(Fiber* self);
  void Switch(bool inwards, bool for_good);

  std::function<void()> body_;
  std::unique_ptr<char[]> stack_;
#if defined(__x86_64__)
  friend void FiberEntry();
  void* inside_ = nullptr;  // stack pointers while the other side runs
  void* outside_ = nullptr;
#else
  ucontext_t inside_{}, outside_{};
#endif
  void* fake_inside_ = nullptr;  // AddressSanitizer's own stacks
  void* fake_outside_ = nullptr;
  const void* outside_stack_ = nullptr;
  size_t outside_size_ = 0;
};

}  // namespace cuda_on_host
