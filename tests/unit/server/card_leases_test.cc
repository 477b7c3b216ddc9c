#include "server/worker/card_leases.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"

namespace espalier::server {
namespace {

TEST(CardLeasesTest, EveryRunHasACardOfItsOwn) {
  CardLeases cards(2);
  auto first = cards.Take(CardLeases::kAnyCard, StopToken());
  auto second = cards.Take(CardLeases::kAnyCard, StopToken());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->card(), second->card());
  const StopSource soon(absl::Now() + absl::Milliseconds(30));
  EXPECT_FALSE(cards.Take(CardLeases::kAnyCard, soon.token()));
  EXPECT_FALSE(cards.Take(0, soon.token()));
  const int64_t freed = second->card();
  second.reset();
  EXPECT_EQ(cards.Take(CardLeases::kAnyCard, soon.token())->card(), freed);
}

TEST(CardLeasesTest, ANamedCardIsWaitedFor) {
  CardLeases cards(2);
  auto lease = cards.Take(0, StopToken());
  std::atomic<bool> taken = false;
  std::thread other([&] {
    const auto same = cards.Take(0, StopToken());
    EXPECT_EQ(same->card(), 0);
    taken = true;
  });
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_FALSE(taken);
  EXPECT_EQ(cards.Take(1, StopToken())->card(), 1) << "the other one is free";
  lease.reset();
  other.join();
  EXPECT_TRUE(taken);
}

TEST(CardLeasesTest, NoTwoThreadsHoldOneCard) {
  CardLeases cards(3);
  std::atomic<int> holders[3] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto lease = cards.Take(CardLeases::kAnyCard, StopToken());
        const auto card = static_cast<size_t>(lease->card());
        EXPECT_EQ(holders[card]++, 0);
        --holders[card];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CardLeasesTest, AFailureShowsUntilARunEndsWell) {
  CardLeases cards(2);
  EXPECT_TRUE(cards.Health().ok());
  cards.Take(1, StopToken())->Fail("unspecified launch failure");
  EXPECT_EQ(cards.Health(), absl::UnavailableError("cuda:1: unspecified launch failure"));
  EXPECT_EQ(cards.Take(CardLeases::kAnyCard, StopToken())->card(), 0) << "one that works comes first";
  cards.Take(1, StopToken()).reset();
  EXPECT_TRUE(cards.Health().ok());
}

TEST(CardLeasesTest, WithoutCardsOnlyTheStopEndsTheWait) {
  CardLeases cards(0);
  const StopSource soon(absl::Now() + absl::Milliseconds(20));
  EXPECT_FALSE(cards.Take(CardLeases::kAnyCard, soon.token()));
  EXPECT_TRUE(cards.Health().ok());
}

}  // namespace
}  // namespace espalier::server
