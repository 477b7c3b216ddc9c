// Refined bounds: as tight as those that are optimised layer by layer on the whole network, sound, and with a
// half-space sound at every point inside it.
#include "verifier/bounds/refine.h"

#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/property/refine_cases.h"
#include "verifier/search/part_root.h"
#include "verifier/search/root.h"
#include "verifier/search/tightening.h"

namespace espalier::testing {
namespace {

TEST(RefineTest, AsTightAsOptimisingTheWholeNetwork) {
  double before = 0, ours = 0, theirs = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds refined = c.Layers({});
    const double area = Area(c, refined);
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 15}, StopToken(), refined).ok());
    ASSERT_LE(Area(c, refined), area);
    for (const std::vector<double>& x : c.Points(100)) ExpectInside(c, refined, x);
    before += area;
    ours += Area(c, refined);
    theirs += Area(c, c.Layers({.iterations = 15}));
  }
  EXPECT_LT(theirs, 0.98 * before) << before;
  EXPECT_LT(ours, before - 0.97 * (before - theirs));
}

// Rows of intermediate layers start in the middle of the network: branches around them must not leak in.
TEST(RefineTest, AsTightOnResidualImages) {
  double before = 0, ours = 0, theirs = 0;
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network = RandomImageNetwork(random, {.layers = 3, .skip = 0.9});
    BoundsCase c(random, std::move(network), 0.4);
    bounds::DomainBounds refined = c.Layers({});
    before += Area(c, refined);
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 15}, StopToken(), refined).ok());
    for (const std::vector<double>& x : c.Points(50)) ExpectInside(c, refined, x);
    ours += Area(c, refined);
    theirs += Area(c, c.Layers({.iterations = 15}));
  }
  EXPECT_LT(theirs, 0.98 * before) << before;
  EXPECT_LT(ours, before - 0.97 * (before - theirs));
}

// Rows that begin where they ended are as tight after one step as they were after all of them.
TEST(RefineTest, GoesOnFromWhatIsKept) {
  double cold = 0, warm = 0, once = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::DomainBounds plain = c.Layers({});
    bounds::DomainBounds first = plain, again = plain, single = plain;
    bounds::RefineMemory memory, kept;
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 15, .keep = &memory}, StopToken(), first).ok());
    ASSERT_FALSE(memory.empty());
    ASSERT_TRUE(
        bounds::RefineBounds(*c.plan, {.iterations = 1, .start = &memory, .keep = &kept}, StopToken(), again)
            .ok());
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 1}, StopToken(), single).ok());
    for (const std::vector<double>& x : c.Points(50)) ExpectInside(c, again, x);
    EXPECT_EQ(kept.unstable, memory.unstable);
    cold += Area(c, first);
    warm += Area(c, again);
    once += Area(c, single);
  }
  EXPECT_LT(cold, 0.98 * once);
  EXPECT_LT(warm, once - 0.9 * (once - cold));  // slopes are kept in 255 steps
}

// Bounds of layers that are left out stay, and what was known of their rows is handed on.
TEST(RefineTest, LeavesOutFirstLayers) {
  int64_t left_out = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds bounds = c.Layers({});
    bounds::RefineMemory memory, kept;
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 5, .keep = &memory}, StopToken(), bounds).ok());
    const bounds::DomainBounds before = bounds;
    const auto last = static_cast<int32_t>(bounds.layers.size()) - 1;
    const bounds::RefineSettings settings{.first = last, .start = &memory, .keep = &kept};
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), bounds).ok());
    for (size_t a = 0; a < static_cast<size_t>(last); ++a) {
      EXPECT_EQ(bounds.layers[a].lower, before.layers[a].lower);
      EXPECT_EQ(bounds.layers[a].upper, before.layers[a].upper);
      ASSERT_EQ(kept.rows[a].size(), 2 * kept.unstable[a].size());
      for (size_t r = 0; r < kept.rows[a].size(); ++r) {
        const auto& theirs = memory.unstable[a];
        const auto at =
            std::lower_bound(theirs.begin(), theirs.end(), kept.unstable[a][r / 2]) - theirs.begin();
        const auto known = static_cast<size_t>(2 * at) + r % 2;
        EXPECT_LE(kept.rows[a][r].slopes.size(), memory.rows[a][known].slopes.size());
        left_out += !kept.rows[a][r].slopes.empty();
      }
    }
  }
  EXPECT_GT(left_out, 100);
}

TEST(RefineTest, InsideAHalfSpaceTighterAndSoundThere) {
  int64_t inside = 0;
  double everywhere = 0, there = 0;
  for (uint64_t seed = 101; seed <= 180; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::DomainBounds whole = c.Layers({});
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 10}, StopToken(), whole).ok());
    bounds::DomainBounds conditioned = whole;
    // About a third of the box: the value at the centre is positive.
    bounds::HalfSpace cut;
    cut.normal = c.random.Normals(c.network.input_size(), 1.0);
    double centre = 0, reach = 0;
    for (size_t i = 0; i < cut.normal.size(); ++i) {
      centre += cut.normal[i] * 0.5 * (c.box.lower[i] + c.box.upper[i]);
      reach += std::fabs(cut.normal[i]) * 0.5 * (c.box.upper[i] - c.box.lower[i]);
    }
    cut.offset = -centre + 0.3 * reach;
    ASSERT_TRUE(
        bounds::RefineBounds(*c.plan, {.iterations = 10, .inside = &cut}, StopToken(), conditioned).ok());
    everywhere += Area(c, whole);
    there += Area(c, conditioned);
    for (const std::vector<double>& x : c.Points(300)) {
      double value = cut.offset;
      for (size_t i = 0; i < x.size(); ++i) value += cut.normal[i] * x[i];
      if (value > 0) continue;
      ++inside;
      ExpectInside(c, conditioned, x);
    }
  }
  EXPECT_GT(inside, 3000);
  EXPECT_LT(there, 0.97 * everywhere);
}

// Bounds that hold only where one target can be unsafe: they hold at each of its unsafe points, refute no
// target that has one, and leave the other target alone.
TEST(PartRootTest, UnsafePointsStayInside) {
  int64_t unsafe_points = 0, refuted = 0, tighter = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    search::Problem problem = MakeProblem(c);
    problem.targets.push_back(problem.targets[0]);
    // One target near its limit, the other one with plenty of unsafe points.
    const auto points = c.Points(200);
    const std::vector<double> margins = SortedMargins(c, problem, points);
    problem.targets[0].rhs[0] +=
        margins[0] - 0.2 * c.random.Uniform(-1, 1) * (margins[20] - margins[0] + 1e-3);
    problem.targets[1].rhs[0] += margins[100];
    problem.targets[1].disjunct = 1;
    for (search::Target& target : problem.targets) target.rhs[1] = 1e6;  // always holds
    api::Options options;
    options.intermediate_iterations = 8;
    const NoJudge judge;
    search::Run run(problem, *c.plan, options, judge, nullptr, StopToken());
    auto root = search::BoundRoot(run, 0, run.OpenTargets());
    ASSERT_TRUE(root.ok()) << root.status();
    ASSERT_FALSE(run.refuted(1));
    for (search::Domain domain : root->open) {
      domain.weights = {1, 0};
      const auto target = static_cast<size_t>(domain.target);
      const auto own = search::MakePartRoot(run, *root, {domain}, /*rounds=*/12);
      ASSERT_TRUE(own.ok()) << own.status();
      const bool gone = (*own)->open.empty();
      refuted += gone;
      for (const auto& x : points) {
        const auto values = ir::EvaluateNodes(c.network, x);
        search::Problem single = problem;
        single.targets = {problem.targets[target]};
        if (Margin(single, {1, 0}, x, values[static_cast<size_t>(c.network.output)]) > -1e-9) continue;
        ++unsafe_points;
        ASSERT_FALSE(gone);
        ExpectInside(c, (*own)->root.bounds, x);
      }
      if (!gone) tighter += Area(c, (*own)->root.bounds) < 0.99 * Area(c, root->root.bounds);
    }
    ASSERT_FALSE(run.refuted(1));
  }
  EXPECT_GT(unsafe_points, 5000);
  EXPECT_GT(refuted, 3);
  EXPECT_GT(tighter, 50);
}

// One of the promising neurons and inputs by chance; none when there are none.
std::optional<search::Candidate> SomeSplit(search::Run& run, const search::PartRoot& part, Random& random) {
  const auto splits = search::TighteningSplits(run, part, 3, /*inputs=*/true);
  EXPECT_TRUE(splits.ok()) << splits.status();
  if (!splits.ok() || splits->empty()) return std::nullopt;
  return (*splits)[static_cast<size_t>(random.Int(0, static_cast<int64_t>(splits->size()) - 1))];
}

// Bounds on sides of neurons and in halves of inputs, of several targets and of one alone: they hold at each
// unsafe point that is there, and refute no target that has one.
TEST(PartRootTest, UnsafePointsOnTheSidesStayInside) {
  int64_t unsafe_points = 0, refuted = 0, tighter = 0, parts = 0, of_inputs = 0;
  for (uint64_t seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const auto points = c.Points(400);
    const search::Problem problem = TwoTargets(c, points);
    api::Options options;
    options.intermediate_iterations = 8;
    const NoJudge judge;
    search::Run run(problem, *c.plan, options, judge, nullptr, StopToken());
    auto root = search::BoundRoot(run, 0, run.OpenTargets());
    ASSERT_TRUE(root.ok()) << root.status();
    auto part = PartOf(run, *root, seed);
    // Up to four times a promising neuron or input; on from a half by chance.
    for (int depth = 0; depth < 4 && part.ok() && !(*part)->open.empty(); ++depth) {
      const std::optional<search::Candidate> split = SomeSplit(run, **part, c.random);
      if (!split.has_value()) break;
      const size_t next = c.random.Chance(0.5) ? 0 : 1;
      const std::vector<search::Domain>& open = (*part)->open;
      const double area = Area(c, (*part)->root.bounds);
      auto halves = search::MakeHalves(run, **part, open, *split);
      ASSERT_TRUE(halves.ok()) << halves.status();
      ASSERT_EQ(halves->size(), size_t{2});
      for (size_t h = 0; h < 2; ++h) {
        const search::PartRoot& half = *(*halves)[h];
        const auto sign = static_cast<int8_t>(h == 0 ? 1 : -1);
        for (const auto& x : points) {
          if (!InHalf(c, **part, *split, sign, x)) continue;
          const auto values = ir::EvaluateNodes(c.network, x);
          for (const search::Domain& domain : open) {
            search::Problem single = problem;
            single.targets = {problem.targets[static_cast<size_t>(domain.target)]};
            if (Margin(single, {1, 0}, x, values[static_cast<size_t>(c.network.output)]) > -1e-9) continue;
            ++unsafe_points;
            of_inputs += split->layer == search::kInputLayer;
            ASSERT_TRUE(std::any_of(half.open.begin(), half.open.end(),
                                    [&](const search::Domain& d) { return d.target == domain.target; }));
            ExpectInside(c, half.root.bounds, x);
          }
        }
        ++parts;
        refuted += static_cast<int64_t>(open.size() - half.open.size());
        if (!half.open.empty()) tighter += Area(c, half.root.bounds) < 0.95 * area;
      }
      part = std::move((*halves)[next]);
    }
    ASSERT_TRUE(part.ok()) << part.status();
  }
  EXPECT_GT(unsafe_points, 10000);
  EXPECT_GT(of_inputs, 1000);
  EXPECT_GT(refuted, 40);
  EXPECT_GT(tighter, parts / 4);
}

// The bits of all that a part is made of.
class PartBits {
 public:
  void Add(const search::PartRoot& part) {
    for (const bounds::LayerBox& box : part.root.bounds.layers) AddAll(box.lower), AddAll(box.upper);
    for (const bool empty : part.root.bounds.empty) Add(empty);
    for (const search::Domain& domain : part.open) Add(domain);
    if (part.plane.has_value()) AddAll(part.plane->normal), Add(part.plane->offset);
    for (const auto& layer : part.memory.rows) {
      for (const bounds::RefineMemory::Row& row : layer) AddAll(row.slopes), AddAll(row.betas);
    }
  }
  const std::vector<uint64_t>& bits() const { return bits_; }

 private:
  void Add(double value) { bits_.push_back(std::bit_cast<uint64_t>(value)); }
  template <class T>
  void AddAll(const std::vector<T>& values) {
    Add(static_cast<double>(values.size()));
    for (const T value : values) Add(static_cast<double>(value));
  }
  void Add(const search::Domain& domain) {
    Add(domain.target);
    Add(domain.bound);
    for (const search::Split& s : domain.splits) Add(s.layer), Add(s.sign), Add(s.unstable), Add(s.beta);
    AddAll(domain.slopes);
    AddAll(domain.weights);
    for (const search::Candidate& k : domain.candidates) Add(k.layer), Add(k.unstable), Add(k.score);
    AddAll(domain.corner);
  }

  std::vector<uint64_t> bits_;
};

// The bits of both halves, three times down, on so many threads.
std::vector<uint64_t> BitsOfHalves(const BoundsCase& c, const search::Problem& problem, uint64_t seed,
                                   int threads) {
  PartBits bits;
  const auto backend = *backend::MakeCpuBackend({.threads = threads, .memory_bytes = 0});
  const auto plan = *bounds::Plan::Make(c.network, *backend);
  api::Options options;
  options.intermediate_iterations = 8;
  const NoJudge judge;
  search::Run run(problem, *plan, options, judge, nullptr, StopToken());
  omp_set_num_threads(1);  // what is halved is made in one way
  auto root = search::BoundRoot(run, 0, run.OpenTargets());
  EXPECT_TRUE(root.ok()) << root.status();
  if (!root.ok()) return {};
  auto part = PartOf(run, *root, seed);
  Random random(seed);
  for (int depth = 0; depth < 3 && part.ok() && !(*part)->open.empty(); ++depth) {
    const std::optional<search::Candidate> split = SomeSplit(run, **part, random);
    if (!split.has_value()) break;
    omp_set_num_threads(threads);
    auto halves = search::MakeHalves(run, **part, (*part)->open, *split);
    omp_set_num_threads(1);
    EXPECT_TRUE(halves.ok()) << halves.status();
    if (!halves.ok()) break;
    for (const auto& half : *halves) bits.Add(*half);
    part = std::move((*halves)[random.Chance(0.5) ? 0 : 1]);
  }
  EXPECT_TRUE(part.ok()) << part.status();
  return bits.bits();
}

// Halves that are made at the same time are those that are made one after the other.
TEST(PartRootTest, HalvesAreTheSameOnOneThreadAndOnTwo) {
  size_t compared = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const search::Problem problem = TwoTargets(c, c.Points(100));
    const std::vector<uint64_t> one = BitsOfHalves(c, problem, seed, 1);
    ASSERT_EQ(one, BitsOfHalves(c, problem, seed, 2));
    compared += one.size();
  }
  EXPECT_GT(compared, size_t{100000});
}

TEST(HalfSpaceTest, TheBoundIsTheMinimumOfTheCutBox) {
  // x + y over [0,1]^2 where x + 2y >= 2: the minimum is 1, at (0, 1).
  const bounds::InputBoxes boxes{1, {0, 0}, {1, 1}};
  const std::vector<double> lambda = {1, 1}, corner = {0, 0};
  const bounds::HalfSpace cut{{-1, -2}, 2};
  const double bound = bounds::BoundInside(cut, {0.0, lambda.data(), corner.data()}, boxes);
  EXPECT_LE(bound, 1.0);
  EXPECT_GT(bound, 1.0 - 1e-6);
}

// The dual is piecewise linear: its maximum is at 0 or where a coefficient changes its sign.
double DualMaximum(const bounds::HalfSpace& cut, const std::vector<double>& lambda,
                   const bounds::InputBoxes& boxes) {
  const size_t n = lambda.size();
  double best = -INFINITY;
  for (size_t k = 0; k <= n; ++k) {
    const double at = k == n ? 0.0 : -lambda[k] / cut.normal[k];
    if (!(at >= 0)) continue;
    double value = at * cut.offset;
    for (size_t i = 0; i < n; ++i) {
      const double slope = lambda[i] + at * cut.normal[i];
      value += slope * (slope >= 0 ? boxes.lower[i] : boxes.upper[i]);
    }
    best = std::max(best, value);
  }
  return best;
}

TEST(HalfSpaceTest, TheBoundIsTheDualMaximum) {
  int64_t gained = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    testing::Random random(seed);
    bounds::InputBoxes boxes{1, {}, {}};
    bounds::HalfSpace cut;
    std::vector<double> lambda, corner;
    double plain = 0;
    for (int64_t i = random.Int(1, 60); i-- > 0;) {
      boxes.lower.push_back(random.Normal());
      boxes.upper.push_back(boxes.lower.back() + random.Uniform(0, 2));
      lambda.push_back(random.Normal());
      cut.normal.push_back(random.Normal() * std::pow(10.0, random.Uniform(-2, 1)));
      cut.offset -= cut.normal.back() * random.Uniform(boxes.lower.back(), boxes.upper.back());
      corner.push_back(lambda.back() >= 0 ? boxes.lower.back() : boxes.upper.back());
      plain += lambda.back() * corner.back();
    }
    const double bound = bounds::BoundInside(cut, {plain, lambda.data(), corner.data()}, boxes);
    const double most = DualMaximum(cut, lambda, boxes);
    ASSERT_LE(bound, most + 1e-12 * (1 + std::fabs(most)));
    ASSERT_GE(bound, most - 1.01e-4 * (most - plain) - 1e-9 * (1 + std::fabs(most)));
    gained += most > plain + 1e-3;
  }
  EXPECT_GT(gained, 50);
}

TEST(HalfSpaceTest, AHalfSpaceThatCutsNothingOrIsNotANumberChangesNothing) {
  const bounds::InputBoxes boxes{1, {0, 0}, {1, 1}};
  const std::vector<double> lambda = {1, 1}, corner = {0, 0};
  const bounds::RowPlane row{0.25, lambda.data(), corner.data()};
  EXPECT_EQ(bounds::BoundInside({{1, 1}, -5}, row, boxes), 0.25);
  EXPECT_EQ(bounds::BoundInside({{0, 0}, 1}, row, boxes), 0.25);
  EXPECT_EQ(bounds::BoundInside({{NAN, 1}, 1}, row, boxes), 0.25);
}

TEST(HalfSpaceTest, ThePlaneOfARowHoldsWhereTheRowIsNotPositive) {
  const bounds::InputBoxes boxes{1, {-1, -1}, {1, 1}};
  const std::vector<double> lambda = {2, -1}, corner = {-1, 1};
  const bounds::HalfSpace plane = bounds::PlaneOf({-2.5, lambda.data(), corner.data()}, boxes);
  EXPECT_EQ(plane.normal, lambda);
  EXPECT_LE(plane.offset, 0.5);  // -2.5 + 3, rounded down
  EXPECT_GT(plane.offset, 0.5 - 1e-12);
}

}  // namespace
}  // namespace espalier::testing
