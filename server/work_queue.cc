#include "server/work_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::server {

void WorkQueue::Stop() {
  std::list<Task> abandoned;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = stopping_ = true;
    Extract([](const Task&) { return true; }, abandoned);
  }
  wake_workers_.notify_all();
  wake_watcher_.notify_all();
  for (Task& task : abandoned) task.abandon(absl::UnavailableError("the server is shutting down"));
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (watcher_.joinable()) watcher_.join();
}

absl::Status WorkQueue::CheckRoom(const Task& task) const {
  if (closed_) return absl::UnavailableError("the server is shutting down");
  if (!task.counted) return absl::OkStatus();
  // A task that waits for a worker to wake up, or to be started, counts as waiting but does not keep others
  // waiting.
  const int64_t free = limits_.workers - busy_;
  if (counted_ + 1 - free > limits_.capacity)
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", counted_, " requests wait"));
  if (limits_.capacity_of_client == 0) return absl::OkStatus();
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& l) { return l.client == task.client; });
  if (lane == lanes_.end()) return absl::OkStatus();
  const auto own =
      std::count_if(lane->tasks.begin(), lane->tasks.end(), [](const Task& t) { return t.counted; });
  if (own + 1 - free > limits_.capacity_of_client) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full for this client: ", own, " of its requests wait"));
  }
  return absl::OkStatus();
}

// Returns how many tasks have their turn before it.
int64_t WorkQueue::Enqueue(Task task) {
  auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& l) { return l.client == task.client; });
  if (lane == lanes_.end()) lane = lanes_.insert(lanes_.end(), Lane{task.client, {}});
  const auto own = static_cast<int64_t>(lane->tasks.size());
  int64_t ahead = own;
  int64_t turns =
      own + 1;  // of the clients that come before this one in the round; those behind have one less
  for (auto other = lanes_.begin(); other != lanes_.end(); ++other) {
    if (other == lane) {
      --turns;
    } else {
      ahead += std::min(static_cast<int64_t>(other->tasks.size()), turns);
    }
  }
  ++waiting_;
  counted_ += task.counted ? 1 : 0;
  lane->tasks.push_back(std::move(task));
  return ahead;
}

absl::StatusOr<int64_t> WorkQueue::Submit(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status room = CheckRoom(task); !room.ok()) return room;
  const int64_t waited = waiting_;
  const int64_t position = std::max<int64_t>(0, Enqueue(std::move(task)) + 1 - (limits_.workers - busy_));
  const auto started = static_cast<int>(threads_.size());
  if (waited >= started - busy_ && started < limits_.workers) {
    threads_.emplace_back([this] { Work(); });
  }
  // A task that is in front may still wait for memory.
  const bool may_wait = position > 0 || limits_.memory_bytes > 0;
  if (may_wait && !watcher_.joinable()) watcher_ = std::thread([this] { WatchDeadlines(); });
  wake_workers_.notify_one();
  wake_watcher_.notify_one();
  return position;
}

void WorkQueue::Extract(const std::function<bool(const Task&)>& chosen, std::list<Task>& out) {
  for (auto lane = lanes_.begin(); lane != lanes_.end();) {
    for (auto it = lane->tasks.begin(); it != lane->tasks.end();) {
      const auto entry = it++;
      if (!chosen(*entry)) continue;
      --waiting_;
      counted_ -= entry->counted ? 1 : 0;
      out.splice(out.end(), lane->tasks, entry);
    }
    lane = lane->tasks.empty() ? lanes_.erase(lane) : std::next(lane);
  }
}

bool WorkQueue::Remove(const void* owner) {
  std::list<Task> removed;  // destroyed outside the lock: a task may own its caller
  {
    std::lock_guard<std::mutex> lock(mutex_);
    Extract([owner](const Task& task) { return task.owner == owner; }, removed);
  }
  wake_workers_.notify_all();  // what was behind it may fit into memory
  return !removed.empty();
}

void WorkQueue::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

WorkQueue::Load WorkQueue::load() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {waiting_, busy_, memory_running_};
}

bool WorkQueue::NextFits() const {
  if (lanes_.empty()) return false;
  const int64_t asked = lanes_.front().tasks.front().memory_bytes;
  return busy_ == 0 || limits_.memory_bytes == 0 || memory_running_ + asked <= limits_.memory_bytes;
}

WorkQueue::Task WorkQueue::TakeNext() {
  Lane& lane = lanes_.front();
  Task task = std::move(lane.tasks.front());
  lane.tasks.pop_front();
  --waiting_;
  counted_ -= task.counted ? 1 : 0;
  if (lane.tasks.empty()) {
    lanes_.pop_front();
  } else {
    lanes_.splice(lanes_.end(), lanes_, lanes_.begin());
  }
  return task;
}

void WorkQueue::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_workers_.wait(lock, [this] { return stopping_ || NextFits(); });
    if (stopping_) return;
    Task task = TakeNext();
    const int64_t memory = task.memory_bytes;
    memory_running_ += memory;
    ++busy_;
    lock.unlock();
    task.run();
    task = Task();
    lock.lock();
    --busy_;
    memory_running_ -= memory;
    if (memory > 0) wake_workers_.notify_all();
  }
}

absl::Time WorkQueue::EarliestDeadline() const {
  absl::Time earliest = absl::InfiniteFuture();
  for (const Lane& lane : lanes_) {
    for (const Task& task : lane.tasks) earliest = std::min(earliest, task.deadline);
  }
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
    Extract([now](const Task& task) { return task.deadline <= now; }, expired);
    lock.unlock();
    for (Task& task : expired) {
      task.abandon(
          absl::DeadlineExceededError("the time limit passed while the request waited in the queue"));
    }
    if (!expired.empty()) wake_workers_.notify_all();
    expired.clear();
    lock.lock();
  }
}

}  // namespace espalier::server
