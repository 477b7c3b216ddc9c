// A bounded queue in front of a fixed number of worker threads.
//
// A task is either run on a worker, or abandoned (its deadline passed while it waited, or the queue is
// destroyed), or removed by its owner: exactly one of the three. Threads start when they are first needed.
// Thread-safe.
//
//   WorkQueue queue(/*workers=*/2, /*capacity=*/64);
//   auto position = queue.Submit({.owner = this, .run = [] { Work(); }, .abandon = [](absl::Status why) {
//   Answer(why); }}); queue.Remove(this);   // when its caller has gone
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace espalier::server {

class WorkQueue {
 public:
  struct Task {
    const void* owner = nullptr;  // names the task to Remove; unique among waiting tasks
    std::function<void()> run = {};
    std::function<void(absl::Status)> abandon = {};
    absl::Time deadline = absl::InfiniteFuture();  // of waiting; a running task watches its own
  };

  WorkQueue(int workers, int capacity) : workers_(workers), capacity_(capacity) {}
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Returns its place in the queue; 0: it starts at once. The task may have run before this returns.
  // RESOURCE_EXHAUSTED: the queue is full; UNAVAILABLE: closed.
  absl::StatusOr<int64_t> Submit(Task task);

  // Takes a waiting task out. True: neither run nor abandon will be called. False: it runs, ran or was
  // abandoned.
  bool Remove(const void* owner);

  // Every later Submit answers UNAVAILABLE.
  void Close();

 private:
  void Work();
  void WatchDeadlines();
  absl::Time EarliestDeadline() const;  // requires mutex_

  const int workers_;
  const int capacity_;
  std::mutex mutex_;
  std::condition_variable wake_workers_;
  std::condition_variable wake_watcher_;
  bool closed_ = false;
  bool stopping_ = false;
  int busy_ = 0;  // workers that run a task
  std::list<Task> waiting_;
  std::vector<std::thread> threads_;
  std::thread watcher_;  // started when a task first has to wait
};

}  // namespace espalier::server
