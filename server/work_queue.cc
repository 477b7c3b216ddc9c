#include "server/work_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::server {

WorkQueue::~WorkQueue() {
  std::list<Task> abandoned;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = stopping_ = true;
    abandoned.swap(waiting_);
  }
  wake_workers_.notify_all();
  wake_watcher_.notify_all();
  for (Task& task : abandoned) task.abandon(absl::UnavailableError("the server is shutting down"));
  for (std::thread& thread : threads_) thread.join();
  if (watcher_.joinable()) watcher_.join();
}

absl::StatusOr<int64_t> WorkQueue::Submit(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return absl::UnavailableError("the server is shutting down");
  const auto waiting = static_cast<int64_t>(waiting_.size());
  // A task that waits for a worker to wake up, or to be started, counts as waiting but does not keep others
  // waiting.
  const int64_t position = std::max<int64_t>(0, waiting + 1 - (workers_ - busy_));
  if (position > capacity_) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", waiting, " requests wait"));
  }
  waiting_.push_back(std::move(task));
  const auto started = static_cast<int>(threads_.size());
  if (waiting >= started - busy_ && started < workers_) {
    threads_.emplace_back([this] { Work(); });
  }
  if (position > 0 && !watcher_.joinable()) watcher_ = std::thread([this] { WatchDeadlines(); });
  wake_workers_.notify_one();
  wake_watcher_.notify_one();
  return position;
}

bool WorkQueue::Remove(const void* owner) {
  std::list<Task> removed;  // destroyed outside the lock: a task may own its caller
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [owner](const Task& task) { return task.owner == owner; });
  if (found == waiting_.end()) return false;
  removed.splice(removed.begin(), waiting_, found);
  return true;
}

void WorkQueue::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

void WorkQueue::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_workers_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    ++busy_;
    lock.unlock();
    task.run();
    task = Task();
    lock.lock();
    --busy_;
  }
}

absl::Time WorkQueue::EarliestDeadline() const {
  absl::Time earliest = absl::InfiniteFuture();
  for (const Task& task : waiting_) earliest = std::min(earliest, task.deadline);
  return earliest;
}

void WorkQueue::WatchDeadlines() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    const absl::Time earliest = EarliestDeadline();
    if (earliest == absl::InfiniteFuture()) {
      wake_watcher_.wait(lock);
    } else {
      wake_watcher_.wait_until(lock, absl::ToChronoTime(earliest));
    }
    std::list<Task> expired;
    const absl::Time now = absl::Now();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      const auto entry = it++;
      if (entry->deadline <= now) expired.splice(expired.end(), waiting_, entry);
    }
    lock.unlock();
    for (Task& task : expired) {
      task.abandon(
          absl::DeadlineExceededError("the time limit passed while the request waited in the queue"));
    }
    expired.clear();
    lock.lock();
  }
}

}  // namespace espalier::server
