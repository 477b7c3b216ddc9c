#include "server/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace espalier::server {
namespace {

// Keeps the only worker busy until `release`.
struct Blocker {
  absl::Notification started, release;
  WorkQueue::Task Task() {
    return {.owner = this,
            .run =
                [this] {
                  started.Notify();
                  release.WaitForNotification();
                },
            .abandon = [](absl::Status) {}};
  }
};

TEST(WorkQueue, RunsInOrderAndSaysThePlace) {
  Blocker blocker;
  absl::Notification done;
  std::vector<int> order;
  WorkQueue queue(1, 10);
  EXPECT_EQ(*queue.Submit(blocker.Task()), 0);
  blocker.started.WaitForNotification();
  EXPECT_EQ(*queue.Submit({.run = [&] { order.push_back(1); }, .abandon = [](absl::Status) {}}), 1);
  EXPECT_EQ(
      *queue.Submit({.run = [&] { order.push_back(2), done.Notify(); }, .abandon = [](absl::Status) {}}), 2);
  blocker.release.Notify();
  done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(WorkQueue, AFullQueueRefuses) {
  Blocker blocker, second;
  WorkQueue queue(1, 1);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.WaitForNotification();
  ASSERT_TRUE(queue.Submit(second.Task()).ok());
  EXPECT_EQ(queue.Submit({}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(queue.Remove(&second));
  EXPECT_FALSE(queue.Remove(&second));
  EXPECT_FALSE(queue.Remove(&blocker)) << "it runs";
  second.release.Notify();
  EXPECT_TRUE(queue.Submit(second.Task()).ok());
  blocker.release.Notify();
  second.started.WaitForNotification();
}

TEST(WorkQueue, AWorkerThatIsJustStartingCountsAsFree) {
  Blocker first, second;
  WorkQueue queue(1, 1);
  EXPECT_EQ(*queue.Submit(first.Task()), 0);
  EXPECT_EQ(*queue.Submit(second.Task()), 1) << "whether or not the worker has taken the first task yet";
  EXPECT_FALSE(queue.Submit({}).ok());
  first.release.Notify();
  second.release.Notify();
  second.started.WaitForNotification();
}

TEST(WorkQueue, AWaitingTaskIsAbandonedAtItsDeadline) {
  Blocker blocker;
  absl::Notification abandoned;
  absl::Status why;
  WorkQueue queue(1, 10);
  ASSERT_TRUE(queue.Submit(blocker.Task()).ok());
  blocker.started.WaitForNotification();
  const absl::Time start = absl::Now();
  ASSERT_TRUE(queue
                  .Submit({.run = [] { FAIL() << "ran after its deadline"; },
                           .abandon = [&](absl::Status status) { why = status, abandoned.Notify(); },
                           .deadline = start + absl::Milliseconds(50)})
                  .ok());
  ASSERT_TRUE(abandoned.WaitForNotificationWithTimeout(absl::Seconds(5)));
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
    blocker.started.WaitForNotification();
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
  first.started.WaitForNotification();
  second.started.WaitForNotification();
  queue.Close();
  EXPECT_EQ(queue.Submit({}).status().code(), absl::StatusCode::kUnavailable);
  first.release.Notify();
  second.release.Notify();
}

}  // namespace
}  // namespace espalier::server
