// Rows of inner layers that are split at the neurons before them: their bounds hold at every point that they
// are for, and are tighter the more often they are split.
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/property/refine_cases.h"
#include "verifier/bounds/cut_points.h"

namespace espalier::testing {
namespace {

bounds::DomainBounds Split(BoundsCase& c, int64_t rounds, bounds::CutPoints* points) {
  bounds::DomainBounds split = c.Layers({});
  const bounds::RefineSettings settings{
      .iterations = 15, .found_points = points, .splits = {.rounds = rounds, .iterations = 6}};
  EXPECT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), split).ok());
  return split;
}

TEST(RowSplitsTest, BoundsHoldAndAreTighter) {
  double whole = 0, few = 0, many = 0, with_cuts = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::CutPoints points;
    const bounds::DomainBounds two = Split(c, 2, nullptr), twelve = Split(c, 12, nullptr),
                               cut = Split(c, 12, &points);
    for (const std::vector<double>& x : c.Points(300)) {
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, two, x));
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, twelve, x));
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, cut, x));
    }
    whole += Area(c, Split(c, 0, nullptr));
    few += Area(c, two);
    many += Area(c, twelve);
    with_cuts += Area(c, cut);
  }
  EXPECT_LT(few, 0.98 * whole);
  EXPECT_LT(many, 0.98 * few);
  EXPECT_LT(with_cuts, many);
}

// Rows that little is owed to are split once: bounds are between those of one split of each row and many.
TEST(RowSplitsTest, BoundsHoldWhereFewRowsAreSplitOften) {
  double once = 0, some = 0, all = 0;
  for (uint64_t seed = 501; seed <= 560; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds own = c.Layers({});
    bounds::NeuronGains gains;
    for (const bounds::LayerBox& box : own.layers) {
      gains.emplace_back(box.lower.size(), 0.0);
      for (size_t i = 0; i < gains.back().size(); i += 2) gains.back()[i] = 1;
    }
    const bounds::RefineSettings settings{.iterations = 15,
                                          .splits = {.rounds = 12, .iterations = 6, .gains = &gains}};
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), own).ok());
    for (const std::vector<double>& x : c.Points(300)) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, own, x));
    once += Area(c, Split(c, 1, nullptr));
    some += Area(c, own);
    all += Area(c, Split(c, 12, nullptr));
  }
  EXPECT_LT(some, 0.99 * once);
  EXPECT_LT(all, 0.99 * some);
}

// Rows of convolutions are bounded on the cones of their neighbours, whatever each of them is split at.
TEST(RowSplitsTest, BoundsHoldAndAreTighterOnResidualImages) {
  double whole = 0, split = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network = RandomImageNetwork(random, {.layers = 3, .skip = 0.9});
    BoundsCase c(random, std::move(network), 0.4);
    const bounds::DomainBounds own = Split(c, 8, nullptr);
    for (const std::vector<double>& x : c.Points(200)) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, own, x));
    whole += Area(c, Split(c, 0, nullptr));
    split += Area(c, own);
  }
  EXPECT_LT(split, 0.98 * whole);
}

// A neuron that is on one side already is not split again, and the leaves keep to that side.
TEST(RowSplitsTest, BoundsHoldOnSides) {
  int64_t inside = 0;
  double whole = 0, split = 0;
  for (uint64_t seed = 201; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds half = c.Layers({});
    std::vector<bounds::NeuronSide> sides;
    for (size_t i = 0; i < half.layers[0].lower.size() && sides.size() < 2; ++i) {
      if (half.layers[0].lower[i] < 0 && half.layers[0].upper[i] > 0)
        sides.push_back({0, static_cast<int32_t>(i), static_cast<int8_t>(c.random.Chance(0.5) ? 1 : -1)});
    }
    for (const bounds::NeuronSide& side : sides) ASSERT_TRUE(bounds::TakeSide(side, half.layers));
    bounds::DomainBounds plain = half;
    bounds::RefineSettings settings{.iterations = 10, .sides = sides};
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), plain).ok());
    settings.splits = {.rounds = 6, .iterations = 6};
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), half).ok());
    for (const std::vector<double>& x : c.Points(300)) {
      if (!OnSides(c, sides, ir::EvaluateNodes(c.network, x))) continue;
      ++inside;
      ASSERT_TRUE(half.empty.empty());
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, half, x));
    }
    whole += Area(c, plain);
    split += Area(c, half);
  }
  EXPECT_GT(inside, 3000);
  EXPECT_LT(split, 0.99 * whole);
}

// What a row is split at does not depend on the number of threads.
TEST(RowSplitsTest, TheSameOnAnyNumberOfThreads) {
  for (uint64_t seed = 401; seed <= 415; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds expected;
    for (const int64_t threads : {1, 2, 3}) {
      auto backend = backend::MakeCpuBackend({.threads = threads});
      ASSERT_TRUE(backend.ok());
      auto plan = bounds::Plan::Make(c.network, **backend);
      ASSERT_TRUE(plan.ok());
      bounds::DomainBounds own = c.Layers({});
      const bounds::RefineSettings settings{.iterations = 10, .splits = {.rounds = 5, .iterations = 4}};
      ASSERT_TRUE(bounds::RefineBounds(**plan, settings, StopToken(), own).ok());
      if (threads == 1) expected = own;
      for (size_t a = 0; a < own.layers.size(); ++a) {
        EXPECT_EQ(own.layers[a].lower, expected.layers[a].lower);
        EXPECT_EQ(own.layers[a].upper, expected.layers[a].upper);
      }
    }
  }
}

}  // namespace
}  // namespace espalier::testing
