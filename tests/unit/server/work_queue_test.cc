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
  ASSERT_TRUE(abandoned.WaitFor(std::chrono::seconds(5)));
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

}  // namespace
}  // namespace espalier::server
