#include "server/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/time/clock.h"

namespace espalier::server {
namespace {

// Set once. Standard primitives, which the thread sanitizer understands; it cannot see into a packaged
// Abseil.
class Signal {
 public:
  void Notify() {
    std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return set_; });
  }
  bool WaitFor(std::chrono::seconds limit) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Keeps the only worker busy until `release`.
struct Blocker {
  Signal started, release;
  WorkQueue::Task Task() {
    return {.owner = this,
            .run =
                [this] {
                  started.Notify();
                  release.Wait();
                },
            .abandon = [](absl::Status) {}};
  }
};

TEST(WorkQueue, RunsInOrderAndSaysThePlace) {
  Blocker blocker;
  Signal done;
  std::vector<int> order;
  WorkQueue queue(1, 10);
  EXPECT_EQ(*queue.Submit(blocker.Task()), 0);
  blocker.started.Wait();
  EXPECT_EQ(*queue.Submit({.run = [&] { order.push_back(1); }, .abandon = [](absl::Status) {}}), 1);
  EXPECT_EQ(
      *queue.Submit({.run = [&] { order.push_back(2), done.Notify(); }, .abandon = [](absl::Status) {}}), 2);
  blocker.release.Notify();
  done.Wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(WorkQueue, AFullQueueRefuses) {
  Blocker blocker, second;
  WorkQueue queue(1, 1);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.Wait();
  ASSERT_TRUE(queue.Submit(second.Task()).ok());
  EXPECT_EQ(queue.Submit({}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(queue.Remove(&second));
  EXPECT_FALSE(queue.Remove(&second));
  EXPECT_FALSE(queue.Remove(&blocker)) << "it runs";
  second.release.Notify();
  EXPECT_TRUE(queue.Submit(second.Task()).ok());
  blocker.release.Notify();
  second.started.Wait();
}

TEST(WorkQueue, AWorkerThatIsJustStartingCountsAsFree) {
  Blocker first, second;
  WorkQueue queue(1, 1);
  EXPECT_EQ(*queue.Submit(first.Task()), 0);
  EXPECT_EQ(*queue.Submit(second.Task()), 1) << "whether or not the worker has taken the first task yet";
  EXPECT_FALSE(queue.Submit({}).ok());
  first.release.Notify();
  second.release.Notify();
  second.started.Wait();
}

TEST(WorkQueue, AWaitingTaskIsAbandonedAtItsDeadline) {
  Blocker blocker;
  Signal abandoned;
  absl::Status why;
  WorkQueue queue(1, 10);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.Wait();
  const absl::Time start = absl::Now();
  ASSERT_TRUE(queue
                  .Submit({.run = [] { FAIL() << "ran after its deadline"; },
                           .abandon = [&](absl::Status status) { why = status, abandoned.Notify(); },
                           .deadline = start + absl::Milliseconds(50)})
                  .ok());
  ASSERT_TRUE(abandoned.WaitFor(std::chrono::seconds(100)));
  EXPECT_EQ(why.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(50));
  blocker.release.Notify();
}

TEST(WorkQueue, DestructionAbandonsWhatWaits) {
  Blocker blocker;
  std::atomic<int> abandoned = 0;
  {
    WorkQueue queue(1, 10);
    ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
    blocker.started.Wait();
    ASSERT_TRUE(queue
                    .Submit({.run = [] { FAIL() << "ran"; },
                             .abandon =
                                 [&](absl::Status) {
                                   ++abandoned;
                                   blocker.release.Notify();
                                 }})
                    .ok());
  }
  EXPECT_EQ(abandoned, 1);
}

TEST(WorkQueue, ClosedRefusesAndWorkersRunSideBySide) {
  Blocker first, second;
  WorkQueue queue(2, 0);
  ASSERT_TRUE(queue.Submit(first.Task()).ok());
  ASSERT_TRUE(queue.Submit(second.Task()).ok());
  first.started.Wait();
  second.started.Wait();
  queue.Close();
  EXPECT_EQ(queue.Submit({}).status().code(), absl::StatusCode::kUnavailable);
  first.release.Notify();
  second.release.Notify();
}

TEST(WorkQueue, ClientsTakeTurns) {
  Blocker blocker;
  Signal done;
  std::string order;
  WorkQueue queue(1, 10);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.Wait();
  const auto submit = [&](const std::string& client, const std::string& name) {
    return *queue.Submit({.run =
                              [&order, &done, name] {
                                order += name;
                                if (order.size() == 12) done.Notify();
                              },
                          .abandon = [](absl::Status) {},
                          .client = client});
  };
  EXPECT_EQ(submit("a", "a1"), 1);
  EXPECT_EQ(submit("a", "a2"), 2);
  EXPECT_EQ(submit("a", "a3"), 3);
  EXPECT_EQ(submit("b", "b1"), 2) << "after a1 only";
  EXPECT_EQ(submit("c", "c1"), 3);
  EXPECT_EQ(submit("b", "b2"), 5) << "after a1 b1 c1 a2";
  blocker.release.Notify();
  done.Wait();
  EXPECT_EQ(order, "a1b1c1a2b2a3");
}

TEST(WorkQueue, OneClientCannotFillTheQueue) {
  Blocker blocker, a, b;
  WorkQueue queue({.workers = 1, .capacity = 10, .capacity_of_client = 1});
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.Wait();
  const auto submit = [&](Blocker& task, const std::string& client) {
    WorkQueue::Task made = task.Task();
    made.client = client;
    return queue.Submit(std::move(made)).status().code();
  };
  EXPECT_EQ(submit(a, "a"), absl::StatusCode::kOk);
  EXPECT_EQ(submit(a, "a"), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(submit(b, "b"), absl::StatusCode::kOk);
  for (Blocker* each : {&blocker, &a, &b}) each->release.Notify();
  b.started.Wait();
}

TEST(WorkQueue, TasksThatAreNotCountedAreNeverRefusedAndTakeNoRoom) {
  Blocker blocker, jobs[3], call;
  WorkQueue queue(1, 1);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.Wait();
  for (Blocker& job : jobs) {
    WorkQueue::Task task = job.Task();
    task.counted = false;
    EXPECT_TRUE(queue.Submit(std::move(task)).ok());
  }
  EXPECT_TRUE(queue.Submit(call.Task()).ok());
  EXPECT_FALSE(queue.Submit({}).ok());
  EXPECT_EQ(queue.load().waiting, 4);
  for (Blocker& job : jobs) job.release.Notify();
  call.release.Notify();
  blocker.release.Notify();
  call.started.Wait();
}

TEST(WorkQueue, ATaskStartsWhenItsMemoryFits) {
  Blocker large, larger, small;
  WorkQueue queue({.workers = 3, .capacity = 10, .memory_bytes = 100});
  const auto submit = [&](Blocker& task, int64_t memory) {
    WorkQueue::Task made = task.Task();
    made.memory_bytes = memory;
    ASSERT_TRUE(queue.Submit(std::move(made)).ok());
  };
  submit(large, 60);
  large.started.Wait();
  submit(larger, 200);  // never fits beside another, so it starts alone
  submit(small, 10);    // would fit, but does not overtake
  EXPECT_FALSE(small.started.WaitFor(std::chrono::seconds(0)));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_FALSE(larger.started.WaitFor(std::chrono::seconds(0)));
  EXPECT_FALSE(small.started.WaitFor(std::chrono::seconds(0)));
  EXPECT_EQ(queue.load().memory_bytes, 60);
  large.release.Notify();
  larger.started.Wait();
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_FALSE(small.started.WaitFor(std::chrono::seconds(0)));
  larger.release.Notify();
  small.started.Wait();
  small.release.Notify();
}

}  // namespace
}  // namespace espalier::server
