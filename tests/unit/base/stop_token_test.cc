#include "verifier/base/stop_token.h"

#include <gtest/gtest.h>

#include <thread>

namespace espalier {
namespace {

TEST(StopTokenTest, DefaultNeverStops) {
  const StopToken token;
  EXPECT_FALSE(token.StopRequested());
  EXPECT_EQ(token.Reason(), StopReason::kNone);
  EXPECT_EQ(token.deadline(), absl::InfiniteFuture());
}

TEST(StopTokenTest, CancelReachesCopiesMadeBefore) {
  StopSource source;
  const StopToken token = source.token();
  const StopToken copy = token;
  EXPECT_FALSE(copy.StopRequested());
  std::thread([&] { source.Cancel(); }).join();
  EXPECT_EQ(copy.Reason(), StopReason::kCancelled);
}

TEST(StopTokenTest, DeadlinePasses) {
  EXPECT_EQ(StopSource(absl::Now() - absl::Seconds(1)).token().Reason(), StopReason::kDeadline);
  EXPECT_EQ(StopSource(absl::Now() + absl::Hours(1)).token().Reason(), StopReason::kNone);
}

TEST(StopTokenTest, CancelIsReportedBeforeTheDeadline) {
  StopSource source(absl::Now() - absl::Seconds(1));
  source.Cancel();
  EXPECT_EQ(source.token().Reason(), StopReason::kCancelled);
}

TEST(StopTokenTest, WithDeadlineOnlyTightens) {
  const absl::Time soon = absl::Now() + absl::Minutes(1), late = soon + absl::Minutes(1);
  EXPECT_EQ(StopSource(soon).token().WithDeadline(late).deadline(), soon);
  EXPECT_EQ(StopSource(late).token().WithDeadline(soon).deadline(), soon);
}

TEST(StopTokenTest, OutlivesItsSource) {
  StopToken token;
  {
    StopSource source;
    token = source.token();
    source.Cancel();
  }
  EXPECT_TRUE(token.StopRequested());
}

}  // namespace
}  // namespace espalier
