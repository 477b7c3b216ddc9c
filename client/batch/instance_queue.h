// The instances that are left, shared by the slots of a batch. Every task that was taken is either finished
// or put back; the queue ends when all are finished, or when it is stopped. Thread-safe.
//
//   InstanceQueue queue(tasks);
//   while (std::optional<Task> task = queue.Take()) { ...; queue.Finish(); }
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "absl/time/time.h"

namespace espalier::client {

struct Task {
  size_t instance = 0;  // in the list, from 0
  double timeout_s = 0;
  int64_t occurrence = 0;
  int losses = 0;  // weight of the servers that went away under it
};

class InstanceQueue {
 public:
  explicit InstanceQueue(std::deque<Task> tasks) : waiting_(std::move(tasks)) {}

  // The first task; waits while there is none but one that runs may come back. nullopt: the queue has ended.
  std::optional<Task> Take();
  // To the front, so that the list's order holds as well as it can.
  void PutBack(const Task& task);
  void Finish();
  void Stop();

  // Sleeps, shorter when the queue ends; true when it has.
  bool Sleep(absl::Duration duration);
  bool stopped();

 private:
  bool Ended() const { return stopped_ || (waiting_.empty() && running_ == 0); }  // requires mutex_

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> waiting_;
  int running_ = 0;
  bool stopped_ = false;
};

}  // namespace espalier::client
