#include "server/worker/card_leases.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "server/worker/card_doctor.h"

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

std::vector<int64_t> Failed(const CardLeases& cards) {
  std::vector<int64_t> failed;
  for (const CardLeases::Failure& failure : cards.Failures()) failed.push_back(failure.card);
  return failed;
}

TEST(CardLeasesTest, ACardHasFailedUntilARunOnItEndsWell) {
  int changes = 0;
  CardLeases cards(2, [&] { ++changes; });
  cards.Take(1, StopToken())->Fail("unspecified launch failure");
  ASSERT_EQ(Failed(cards), std::vector<int64_t>{1});
  EXPECT_EQ(cards.Failures()[0].why, "unspecified launch failure");
  cards.Take(1, StopToken()).reset();  // a run that was stopped, say
  EXPECT_EQ(Failed(cards), std::vector<int64_t>{1}) << "it said nothing of the card";
  cards.Take(0, StopToken())->Worked();
  EXPECT_EQ(Failed(cards), std::vector<int64_t>{1}) << "another card's run";
  EXPECT_EQ(changes, 1);
  cards.Take(1, StopToken())->Worked();
  EXPECT_EQ(Failed(cards), std::vector<int64_t>());
  EXPECT_EQ(changes, 2);
}

TEST(CardLeasesTest, WhoMayTakeAnyCardWaitsForOneThatWorks) {
  CardLeases cards(2);
  cards.Take(0, StopToken())->Fail("lost");
  auto other = cards.Take(CardLeases::kAnyCard, StopToken());
  EXPECT_EQ(other->card(), 1);
  const StopSource soon(absl::Now() + absl::Milliseconds(30));
  EXPECT_FALSE(cards.Take(CardLeases::kAnyCard, soon.token())) << "not the one that failed";
  EXPECT_EQ(cards.Take(0, soon.token())->card(), 0) << "unless it is named";
  other->Fail("lost");
  other.reset();
  EXPECT_TRUE(cards.Take(CardLeases::kAnyCard, soon.token())) << "when none works, any is worth a try";
}

TEST(CardLeasesTest, WithoutCardsOnlyTheStopEndsTheWait) {
  CardLeases cards(0);
  const StopSource soon(absl::Now() + absl::Milliseconds(20));
  EXPECT_FALSE(cards.Take(CardLeases::kAnyCard, soon.token()));
  EXPECT_TRUE(cards.Failures().empty());
}

TEST(CardLeasesTest, AFailedCardIsExaminedUntilItWorks) {
  std::atomic<int> examined = 0;
  CardLeases cards(2, nullptr, {absl::Milliseconds(1), absl::Milliseconds(4)});
  cards.Take(1, StopToken())->Fail("lost");
  {
    CardDoctor doctor(cards, [&](CardLeases::Lease& card, const StopToken&) {
      EXPECT_EQ(card.card(), 1);
      if (++examined == 1) card.Fail("lost again");
      if (examined == 3) card.Worked();  // the second time it cannot be said
    });
    while (!cards.Failures().empty()) absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(examined, 3);
}

TEST(CardLeasesTest, TheDoctorDoesNotWaitForACardThatRests) {
  CardLeases cards(1, nullptr, {absl::Hours(1), absl::Hours(1)});
  const CardDoctor doctor(cards, [](CardLeases::Lease&, const StopToken&) { ADD_FAILURE(); });
  cards.Take(0, StopToken())->Fail("lost");
}

}  // namespace
}  // namespace espalier::server
