#include "server/event_buffer.h"

#include <utility>

namespace espalier::server {

void EventBuffer::Accept(v1::Accepted accepted) {
  std::lock_guard<std::mutex> lock(mutex_);
  open_ = true;
  accepted_ = std::move(accepted);
}

void EventBuffer::Push(v1::Progress progress) {
  std::lock_guard<std::mutex> lock(mutex_);
  progress_ = std::move(progress);
}

void EventBuffer::PushRefuted(int64_t index) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!refuted_) refuted_.emplace();
  refuted_->add_index(index);
}

void EventBuffer::PushResult(v1::VerifyResult result) {
  std::lock_guard<std::mutex> lock(mutex_);
  result_ = std::move(result);
}

std::optional<v1::VerifyEvent> EventBuffer::Next(absl::Time now) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!open_ || done_) return std::nullopt;
  v1::VerifyEvent event;
  if (accepted_) {
    *event.mutable_accepted() = *std::exchange(accepted_, std::nullopt);
    return event;
  }
  const bool due = now - last_progress_ >= kInterval;
  if (refuted_ && (result_ || due)) {
    *event.mutable_refuted() = *std::exchange(refuted_, std::nullopt);
  } else if (result_) {
    *event.mutable_result() = *std::exchange(result_, std::nullopt);
    done_ = true;
  } else if (progress_ && due) {
    *event.mutable_progress() = *std::exchange(progress_, std::nullopt);
    last_progress_ = now;
  } else {
    return std::nullopt;
  }
  return event;
}

}  // namespace espalier::server
