#include "client/batch/instance_queue.h"

namespace espalier::client {

std::optional<Task> InstanceQueue::Take() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return Ended() || !waiting_.empty(); });
  if (Ended()) return std::nullopt;
  const Task task = waiting_.front();
  waiting_.pop_front();
  ++running_;
  return task;
}

void InstanceQueue::PutBack(const Task& task) {
  std::lock_guard<std::mutex> lock(mutex_);
  --running_;
  waiting_.push_front(task);
  changed_.notify_all();
}

void InstanceQueue::Finish() {
  std::lock_guard<std::mutex> lock(mutex_);
  --running_;
  changed_.notify_all();
}

void InstanceQueue::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

bool InstanceQueue::Sleep(absl::Duration duration) {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoMilliseconds(duration), [this] { return Ended(); });
}

bool InstanceQueue::stopped() {
  std::lock_guard<std::mutex> lock(mutex_);
  return stopped_;
}

}  // namespace espalier::client
