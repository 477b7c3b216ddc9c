#include "verifier/graft/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/graft/graft_network.h"
#include "verifier/graft/twin_network.h"

namespace espalier::graft {
namespace {

class CompareTest : public ::testing::Test {
 protected:
  absl::StatusOr<Differences> Compare(const ir::Network& base, const ir::Network& other,
                                      const CompareSettings& settings, StopToken stop = {}) {
    const Dataset data = MakeData(1, {{0.0f}}, {0});
    return CompareNetworks(base, other, Samples{&data, {0}}, settings, *backend_, stop);
  }

  std::unique_ptr<backend::Backend> backend_ = *backend::MakeCpuBackend({.threads = 1});
  // y = relu(x) and y = -relu(x)
  ir::Network base_ = ReluNetwork(1, {{{{1}}, {0}}, {{{1}, {-1}}, {0, 0}}});
};

TEST_F(CompareTest, LineInPlaceOfAKinkIsBoundedClosely) {
  ir::Network other = base_;
  other.nodes[2].hinge = {{0.5}, {0.5}, {0.25}};
  // 0.5 x + 0.25 - relu(x) on [-1, 1]: 0.25 at 0, -0.25 at both ends.
  const auto differences = Compare(base_, other, {.epsilon = 1, .low = -1, .high = 1});
  ASSERT_TRUE(differences.ok()) << differences.status();
  EXPECT_NEAR(differences->bound[0], 0.25, 0.02);
  EXPECT_GE(differences->bound[0], 0.25);
  EXPECT_NEAR(differences->found[0], 0.25, 0.02);
}

TEST_F(CompareTest, CountsSamplesOfDifferentClassesAtTheSampleItself) {
  const ir::Network first = ReluNetwork(1, {{{{1}}, {0}}, {{{1}, {-1}}, {0.5, 0}}});
  const ir::Network second = ReluNetwork(1, {{{{1}}, {0}}, {{{1}, {-1}}, {0, 0.5}}});
  const Dataset data = MakeData(1, {{0.0f}, {0.1f}, {0.9f}}, {0, 0, 0});
  int64_t calls = 0;
  CompareSettings settings{.epsilon = 0.01, .samples = 3};
  settings.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(done, ++calls);
    EXPECT_EQ(total, 3);
  };
  const auto differences = CompareNetworks(first, second, Samples{&data, {0, 1, 2}}, settings, *backend_, {});
  ASSERT_TRUE(differences.ok()) << differences.status();
  EXPECT_EQ(differences->disagree, 2);
  EXPECT_EQ(differences->bound.size(), 3u);
  EXPECT_EQ(calls, 3);
}

TEST_F(CompareTest, BoxIsCutToTheInputRange) {
  const ir::Network other = ReluNetwork(1, {{{{3}}, {0}}, {{{1}, {-1}}, {0, 0}}});
  const auto differences = Compare(base_, other, {.epsilon = 10, .low = -2, .high = 0.5});
  ASSERT_TRUE(differences.ok()) << differences.status();
  EXPECT_NEAR(differences->found[0], 1.0, 1e-6);  // 3 x - x at 0.5
  EXPECT_GE(differences->bound[0], 1.0);
  EXPECT_LE(differences->bound[0], 4.0);
}

TEST_F(CompareTest, WhatBothNetworksComputeAlikeIsShared) {
  ir::Network other = base_;
  other.nodes[3].bias = {1, 2};
  const auto difference = DifferenceNetwork(base_, other);
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_EQ(difference->nodes.size(), 4u);  // input, layer, activation, difference
  const auto values = ir::EvaluateNodes(*difference, {0.7});
  EXPECT_EQ(values[static_cast<size_t>(difference->output)], (std::vector<double>{1, 2}));
  other.nodes[1].bias = {1e-9};  // no longer alike
  EXPECT_EQ(DifferenceNetwork(base_, other)->nodes.size(), 6u);
}

TEST_F(CompareTest, RefusesWhatDoesNotFit) {
  const ir::Network wide = ReluNetwork(2, {{{{1, 1}}, {0}}, {{{1}, {-1}}, {0, 0}}});
  const ir::Network more = ReluNetwork(1, {{{{1}}, {0}}, {{{1}, {-1}, {2}}, {0, 0, 0}}});
  EXPECT_EQ(DifferenceNetwork(base_, wide).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DifferenceNetwork(base_, more).status().code(), absl::StatusCode::kInvalidArgument);
  const auto code = [&](const CompareSettings& settings) {
    return Compare(base_, base_, settings).status().code();
  };
  EXPECT_EQ(code({.epsilon = -1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.epsilon = std::nan("")}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.low = 1, .high = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.samples = -1}), absl::StatusCode::kInvalidArgument);
  const Dataset one = MakeData(1, {{0.0f}}, {0}), two = MakeData(2, {{0.0f, 0.0f}}, {0});
  for (const Samples& samples : {Samples{&one, {1}}, Samples{&two, {0}}}) {
    EXPECT_EQ(CompareNetworks(base_, base_, samples, {}, *backend_, {}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(CompareTest, StopsWhenAsked) {
  StopSource source;
  source.Cancel();
  EXPECT_EQ(Compare(base_, base_, {}, source.token()).status().code(), absl::StatusCode::kCancelled);
}

// Every value on a fine grid of the polygon lies in the range, and its ends are nearly met.
void ExpectTight(double left, double right, double m, const GapBounds& bounds) {
  const Interval range = SlackRange(left, right, m, bounds);
  const auto f = [&](double z) { return (z < 0 ? left : right) * z; };
  Interval seen{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  constexpr int kGrid = 400;
  for (int i = 0; i <= kGrid; ++i) {
    const double a = bounds.z1.lower + (bounds.z1.upper - bounds.z1.lower) * i / kGrid;
    for (int k = 0; k <= kGrid; ++k) {
      const double d = bounds.gap.lower + (bounds.gap.upper - bounds.gap.lower) * k / kGrid;
      if (a + d < bounds.z2.lower || a + d > bounds.z2.upper) continue;
      const double value = f(a + d) - f(a) - m * d;
      seen.lower = std::min(seen.lower, value);
      seen.upper = std::max(seen.upper, value);
    }
  }
  EXPECT_LE(range.lower, seen.lower);
  EXPECT_GE(range.upper, seen.upper);
  EXPECT_NEAR(range.lower, seen.lower, 0.02);
  EXPECT_NEAR(range.upper, seen.upper, 0.02);
}

TEST(SlackRange, HoldsEveryPointAndIsTight) {
  ExpectTight(0, 1, 0.5, {{-1, 1}, {-1, 1}, {-0.1, 0.2}});
  ExpectTight(0, 1, 1, {{-0.1, 2}, {-0.2, 2}, {-0.3, 0.1}});
  ExpectTight(0, 1, 0, {{-2, 0.1}, {-2, -0.5}, {-1, 1}});
  ExpectTight(1, -0.5, 0.3, {{-1, 0.5}, {-0.5, 1}, {0.1, 0.7}});
  ExpectTight(-1, 1, 0, {{-1, 1}, {-1, 1}, {-2, 2}});
}

TEST(SlackRange, SaysNothingWithoutBounds) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  EXPECT_EQ(SlackRange(0, 1, 0.5, {{-1, infinity}, {-1, 1}, {-1, 1}}).upper, infinity);
  EXPECT_EQ(SlackRange(0, 1, 0.5, {{-1, 1}, {-1, 1}, {nan, 1}}).lower, -infinity);
  EXPECT_EQ(SlackRange(0, 1, 0.5, {{1, 2}, {1, 2}, {5, 6}}).upper, infinity);  // contradicting
}

}  // namespace
}  // namespace espalier::graft
