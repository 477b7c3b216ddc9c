// Searches over parts: whenever one is stopped, what it says is left holds every unsafe point.
#include "verifier/search/part_search.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/property/refine_cases.h"
#include "tests/support/divide_at_once.h"

namespace espalier::testing {
namespace {

// Whether some domain's sides hold the values. No domain: the whole box is left.
bool Covers(const BoundsCase& c, const search::SplitParts& parts,
            const std::vector<std::vector<double>>& values) {
  const auto on_side = [&](uint32_t literal) {
    size_t a = c.plan->activations().size() - 1;
    while (c.plan->activation_begin(static_cast<int>(a)) > literal / 2) --a;
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    const int64_t neuron = literal / 2 - c.plan->activation_begin(static_cast<int>(a));
    const double value = values[node][static_cast<size_t>(neuron)];
    return (literal & 1) != 0 ? value >= -1e-9 : value <= 1e-9;
  };
  for (size_t d = 0; d < parts.count(); ++d) {
    bool all = true;
    for (uint64_t k = parts.begin(d); k < parts.end[d]; ++k) all = all && on_side(parts.literals[k]);
    if (all) return true;
  }
  return parts.count() == 0;
}

struct Point {
  std::vector<std::vector<double>> values;
  std::vector<int32_t> unsafe;  // targets
};

std::vector<Point> UnsafePoints(const BoundsCase& c, const search::Problem& problem,
                                const std::vector<std::vector<double>>& points) {
  std::vector<Point> unsafe;
  for (const auto& x : points) {
    Point point{ir::EvaluateNodes(c.network, x), {}};
    for (size_t t = 0; t < problem.targets.size(); ++t) {
      search::Problem single = problem;
      single.targets = {problem.targets[t]};
      const double margin = Margin(single, {1, 0}, x, point.values[static_cast<size_t>(c.network.output)]);
      if (margin < -1e-9) point.unsafe.push_back(static_cast<int32_t>(t));
    }
    if (!point.unsafe.empty()) unsafe.push_back(std::move(point));
  }
  return unsafe;
}

// Two targets with unsafe points, and their root.
struct Searched {
  Searched(BoundsCase& of, const std::vector<std::vector<double>>& points)
      : problem(TwoTargets(of, points)),
        options(Options()),
        run(problem, *of.plan, options, judge, nullptr, StopToken()) {
    auto made = search::BoundRoot(run, 0, run.OpenTargets());
    EXPECT_TRUE(made.ok()) << made.status();
    root = *std::move(made);
    for (search::Domain& start : root.open) start.weights = {1, 0};
  }
  static api::Options Options() {
    api::Options options;
    options.intermediate_iterations = 4;
    options.attack = 0;
    return options;
  }

  search::Problem problem;
  api::Options options;
  NoJudge judge;
  search::Run run;
  search::RootResult root;
};

class PartSearchTest : public ::testing::Test {
 protected:
  void FollowTurns(uint64_t seed) {
    // Few inputs, so that it pays to halve them.
    Random random(seed);
    ir::Network network =
        RandomNetwork(random, {.inputs = random.Int(2, 3), .outputs = 2, .layers = 3, .width = 6});
    BoundsCase c(random, std::move(network), 1.0);
    const auto points = c.Points(300);
    Searched s(c, points);
    search::Run& run = s.run;
    const std::vector<Point> unsafe = UnsafePoints(c, s.problem, points);
    search::PartSearch search(run, s.root, s.root.open, 1.0, kAtOnce);
    for (int turn = 0; turn < 40; ++turn) {
      const auto end = search.Turn(1);
      ASSERT_TRUE(end.ok()) << end.status();
      if (*end != search::SearchEnd::kBudget) break;
      std::map<int32_t, search::SplitParts> left;
      search.Save(left);
      for (const Point& point : unsafe) {
        for (const int32_t target : point.unsafe) {
          ASSERT_FALSE(run.refuted(static_cast<size_t>(target)));
          ASSERT_TRUE(Covers(c, left[target], point.values)) << "turn " << turn << " target " << target;
          ++covered_;
        }
      }
    }
    at_inputs_ += run.statistics.counters["divided_at_inputs"];
  }

  int64_t covered_ = 0, at_inputs_ = 0;
};

TEST_F(PartSearchTest, WhatIsLeftHoldsEveryUnsafePoint) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    FollowTurns(seed);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(covered_, 20000);
  EXPECT_GT(at_inputs_, 30);
}

// A search of one or two targets makes its root sharper and hands it on. What another search takes it for
// holds everywhere, whatever the first one was for, and neither refutes a target with unsafe points.
TEST(SharedSharperTest, HoldsEverywhere) {
  int given = 0, tighter = 0, refined_alone = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network =
        RandomNetwork(random, {.inputs = random.Int(2, 4), .outputs = 2, .layers = 3, .width = 6});
    BoundsCase c(random, std::move(network), 1.0);
    const auto points = c.Points(300);
    Searched s(c, points);
    std::vector<search::Domain> starts = s.root.open;
    if (starts.size() < 2) continue;
    if (seed % 3 == 0) starts.resize(1);
    const double before = Area(c, s.root.root.bounds);
    search::PartSearch together(s.run, s.root, starts, 1.0, kSharpenAtOnce);
    for (int turn = 0; turn < 3 && together.sharpened() < 2; ++turn) {
      const auto end = together.Turn(1);
      ASSERT_TRUE(end.ok()) << end.status();
      if (*end != search::SearchEnd::kBudget) break;
    }
    refined_alone += starts.size() == 1 && together.sharpened() > 0;
    together.GiveSharper();
    given += s.root.sharpened > 0;
    tighter += Area(c, s.root.root.bounds) < 0.999 * before;
    for (const std::vector<double>& x : points) {
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, s.root.root.bounds, x));
    }
    for (const search::Domain& start : s.root.open) {
      search::PartSearch alone(s.run, s.root, {start}, 1.0, kSharpenAtOnce);
      ASSERT_TRUE(alone.Turn(20).ok());
    }
    for (const Point& point : UnsafePoints(c, s.problem, points)) {
      for (const int32_t target : point.unsafe) ASSERT_FALSE(s.run.refuted(static_cast<size_t>(target)));
    }
  }
  EXPECT_GT(given, 20);
  EXPECT_GT(tighter, 0.8 * given);
  EXPECT_GT(refined_alone, 10);
}

}  // namespace
}  // namespace espalier::testing
