// StopToken: the one thing that goes *down* the flow besides data: cancellation and a deadline.
//
// A StopToken is cheap to copy and to poll (one atomic load and one clock read); long loops poll it at least
// every 50 ms of work. StopSource owns the cancel flag. Thread-safe: any thread may cancel while others poll.
//
//   StopSource source(absl::Now() + absl::Seconds(60));
//   StopToken token = source.token();
//   while (!token.StopRequested()) Work();
#pragma once

#include <atomic>
#include <memory>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace espalier {

enum class StopReason { kNone, kCancelled, kDeadline };

class StopToken {
 public:
  StopToken() = default;  // never stops

  StopReason Reason() const {
    if (cancelled_ && cancelled_->load(std::memory_order_relaxed)) return StopReason::kCancelled;
    if (deadline_ != absl::InfiniteFuture() && absl::Now() >= deadline_) return StopReason::kDeadline;
    return StopReason::kNone;
  }
  bool StopRequested() const { return Reason() != StopReason::kNone; }
  absl::Time deadline() const { return deadline_; }

  // The same cancel flag with a deadline that is not later than `deadline`.
  StopToken WithDeadline(absl::Time deadline) const {
    StopToken copy = *this;
    if (deadline < copy.deadline_) copy.deadline_ = deadline;
    return copy;
  }

 private:
  friend class StopSource;
  std::shared_ptr<const std::atomic<bool>> cancelled_;
  absl::Time deadline_ = absl::InfiniteFuture();
};

class StopSource {
 public:
  explicit StopSource(absl::Time deadline = absl::InfiniteFuture())
      : cancelled_(std::make_shared<std::atomic<bool>>(false)), deadline_(deadline) {}

  void Cancel() { cancelled_->store(true, std::memory_order_relaxed); }
  StopToken token() const {
    StopToken t;
    t.cancelled_ = cancelled_;
    t.deadline_ = deadline_;
    return t;
  }

 private:
  std::shared_ptr<std::atomic<bool>> cancelled_;
  absl::Time deadline_;
};

}  // namespace espalier
