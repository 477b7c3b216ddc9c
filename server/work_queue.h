// A bounded queue in front of a fixed number of worker threads, fair between clients.
//
// Clients take turns: each turn starts the oldest task of one of them, so that a client with a thousand tasks
// delays another one's first by one task. A task also says how much memory it may take; it starts when that
// fits beside the running ones. The task whose turn it is holds up the others until it fits, so that a large
// one starts at some time.
//
// A task is either run on a worker, or abandoned (its deadline passed while it waited, or the queue is
// destroyed), or removed by its owner: exactly one of the three. Threads start when they are first needed.
// Thread-safe.
//
//   WorkQueue queue(/*workers=*/2, /*capacity=*/64);
//   auto position = queue.Submit({.owner = this, .run = [] { Work(); },
//                                 .abandon = [](absl::Status why) { Answer(why); }, .client = "10.0.0.1"});
//   queue.Remove(this);   // when its caller has gone
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace espalier::server {

class WorkQueue {
 public:
  struct Limits {
    int workers = 1;
    int capacity = 0;            // tasks that may wait
    int capacity_of_client = 0;  // of one client's tasks; 0: no limit of its own
    int64_t memory_bytes = 0;    // of all running tasks together; 0: not limited
  };

  struct Task {
    const void* owner = nullptr;  // names the task to Remove; unique among waiting tasks
    std::function<void()> run = {};
    std::function<void(absl::Status)> abandon = {};
    absl::Time deadline = absl::InfiniteFuture();  // of waiting; a running task watches its own
    std::string client = {};
    int64_t memory_bytes = 0;  // alone with nothing else running, a task starts whatever it asks for
    bool counted = true;       // false: neither refused for lack of room nor in other tasks' way to it (jobs:
                               // bounded elsewhere)
  };

  WorkQueue(int workers, int capacity) : WorkQueue(Limits{.workers = workers, .capacity = capacity}) {}
  explicit WorkQueue(const Limits& limits) : limits_(limits) {}
  ~WorkQueue() { Stop(); }
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Returns how many waiting tasks start before it, should no others come; 0: it starts at once. The task may
  // have run before this returns. RESOURCE_EXHAUSTED: the queue, or the client's part of it, is full;
  // UNAVAILABLE: closed.
  absl::StatusOr<int64_t> Submit(Task task);

  // Takes a waiting task out. True: neither run nor abandon will be called. False: it runs, ran or was
  // abandoned.
  bool Remove(const void* owner);

  // Every later Submit answers UNAVAILABLE.
  void Close();

  // Abandons what waits and returns when nothing runs any more. The end of a queue's life; not from one of
  // its own tasks.
  void Stop();

  struct Load {
    int64_t waiting = 0, running = 0;
    int64_t memory_bytes = 0;  // of the running tasks
  };
  Load load() const;

 private:
  // The waiting tasks of one client, oldest first; never empty.
  struct Lane {
    std::string client;
    std::list<Task> tasks;
  };

  void Work();
  void WatchDeadlines();
  // These require mutex_.
  absl::Status CheckRoom(const Task& task) const;
  int64_t Enqueue(Task task);
  bool NextFits() const;
  Task TakeNext();
  absl::Time EarliestDeadline() const;
  // Moves the tasks of which `chosen` is true to `out`.
  void Extract(const std::function<bool(const Task&)>& chosen, std::list<Task>& out);

  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable wake_workers_;
  std::condition_variable wake_watcher_;
  bool closed_ = false;
  bool stopping_ = false;
  int busy_ = 0;                // workers that run a task
  int64_t memory_running_ = 0;  // of the tasks that run
  int64_t waiting_ = 0;         // in all lanes
  int64_t counted_ = 0;         // of them those with `counted`
  std::list<Lane> lanes_;       // whose turn it is comes first
  std::vector<std::thread> threads_;
  std::thread watcher_;  // started when a task first has to wait
};

}  // namespace espalier::server
