#include "fiber.h"

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace cuda_on_host {
namespace {

constexpr size_t kStackBytes = size_t{256} << 10;

thread_local Fiber* starting = nullptr;

void BeforeSwitch([[maybe_unused]] void** fake, [[maybe_unused]] const void* stack,
                  [[maybe_unused]] size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake, stack, size);
#endif
}
void AfterSwitch([[maybe_unused]] void* fake, [[maybe_unused]] const void** stack,
                 [[maybe_unused]] size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, stack, size);
#endif
}

}  // namespace

#if defined(__x86_64__)
// Saves what a call preserves, exchanges the stacks and returns on the other one. A context of the C library
// would ask the kernel for the signal mask at every switch, which costs a hundred times as much.
extern "C" void espalier_switch_stack(void** save, void* go_to);
asm(R"(
.text
.globl espalier_switch_stack
.type espalier_switch_stack, @function
espalier_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size espalier_switch_stack, .-espalier_switch_stack
)");
#endif

void FiberEntry() {
  Fiber* self = starting;
  Fiber::Main(self);
}

Fiber::Fiber() : stack_(new char[kStackBytes]) {}
Fiber::~Fiber() = default;

void Fiber::Start(std::function<void()> body) {
  body_ = std::move(body);
  fake_inside_ = nullptr;
#if defined(__x86_64__)
  auto top = reinterpret_cast<uintptr_t>(stack_.get() + kStackBytes) & ~uintptr_t{15};
  auto* frame = reinterpret_cast<void**>(top) - 8;  // six registers, the entry, and an empty return address
  for (int i = 0; i < 8; ++i) frame[i] = nullptr;
  frame[6] = reinterpret_cast<void*>(&FiberEntry);
  inside_ = frame;
#else
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_.get();
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  makecontext(&inside_, &FiberEntry, 0);
#endif
}

void Fiber::Switch(bool inwards, bool for_good) {
  if (inwards) {
    starting = this;
    BeforeSwitch(&fake_outside_, stack_.get(), kStackBytes);
  } else {
    BeforeSwitch(for_good ? nullptr : &fake_inside_, outside_stack_, outside_size_);
  }
#if defined(__x86_64__)
  inwards ? espalier_switch_stack(&outside_, inside_) : espalier_switch_stack(&inside_, outside_);
#else
  inwards ? swapcontext(&outside_, &inside_) : swapcontext(&inside_, &outside_);
#endif
  if (inwards) {
    AfterSwitch(fake_outside_, nullptr, nullptr);
  } else {
    AfterSwitch(fake_inside_, &outside_stack_, &outside_size_);
  }
}

void Fiber::Enter() {
  Switch(true, false);
}

void Fiber::Leave() {
  Switch(false, false);
}

void Fiber::Main(Fiber* self) {
  AfterSwitch(nullptr, &self->outside_stack_, &self->outside_size_);
  self->body_();
  self->Switch(false, true);
  std::abort();  // an ended fiber was entered
}

}  // namespace cuda_on_host
