// Ctrl-C (SIGINT) and SIGTERM as something that a long command can answer: the first one asks it to end, a
// second one ends the process at once.
//
//   InterruptWatch interrupts;                       // before any thread is started
//   interrupts.OnInterrupt([&] { context.TryCancel(); });
//   ...
//   interrupts.OnInterrupt(nullptr);
//   if (interrupts.interrupted()) ...
//
// While it lives the signals are blocked in the thread that made it and in all threads started from then on,
// and a thread of its own waits for them. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace espalier::client {

class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  // Called once, from another thread, at once when the signal came before.
  void OnInterrupt(std::function<void()> action);
  bool interrupted() const;

 private:
  void Wait();

  mutable std::mutex mutex_;
  bool interrupted_ = false;
  bool ending_ = false;
  std::function<void()> action_;
  std::thread thread_;
};

}  // namespace espalier::client
