// Cuts: planes that bound a neuron on its whole box, and domains' bounds with them, which hold at every point
// and are tighter.
#include "verifier/bounds/cuts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/property/compact_pair.h"
#include "verifier/bounds/hull_plane.h"

namespace espalier::testing {
namespace {

// A neuron on a box of its own, with slots that are numbered in another order than its inputs.
struct RandomNeuron {
  explicit RandomNeuron(Random& random) {
    const auto n = static_cast<size_t>(random.Int(1, 7));
    ranges.lower.resize(n);
    ranges.upper.resize(n);
    for (size_t k = 0; k < n; ++k) {
      slots.push_back(static_cast<int32_t>(n - 1 - k));
      weights.push_back(random.Chance(0.1) ? 0.0 : random.Uniform(-2, 2));
      ranges.lower[k] = random.Uniform(-2, 2);
      ranges.upper[k] = ranges.lower[k] + (random.Chance(0.1) ? 0.0 : random.Uniform(0, 3));
      point.push_back(static_cast<float>(random.Uniform(ranges.lower[k], ranges.upper[k])));
    }
    neuron.bias = random.Uniform(-2, 2);
    neuron.left = random.Chance(0.5) ? 0.0 : random.Uniform(-1, 1);
    neuron.right = random.Chance(0.5) ? 1.0 : random.Uniform(-1, 1);
    neuron.chord_slope = random.Uniform(-1, 1);  // any line: the plane is relative to it
    neuron.chord_intercept = random.Uniform(-1, 1);
    neuron.slots = slots;
    neuron.weights = weights;
  }

  double Sum(const std::vector<double>& x) const {
    double sum = neuron.bias;
    for (size_t k = 0; k < slots.size(); ++k) sum += weights[k] * x[static_cast<size_t>(slots[k])];
    return sum;
  }
  double Hinge(double sum) const { return sum * (sum < 0 ? neuron.left : neuron.right); }
  double Bound(const std::vector<double>& plane, double constant, const std::vector<double>& x) const {
    double bound = neuron.chord_slope * Sum(x) + neuron.chord_intercept + constant;
    for (size_t k = 0; k < plane.size(); ++k) bound += plane[k] * x[static_cast<size_t>(slots[k])];
    return bound;
  }
  std::vector<double> Corner(size_t bits) const {
    std::vector<double> x;
    for (size_t i = 0; i < slots.size(); ++i) {
      x.push_back((bits >> i & 1) != 0 ? ranges.upper[i] : ranges.lower[i]);
    }
    return x;
  }

  std::vector<int32_t> slots;
  std::vector<double> weights;
  bounds::SlotRanges ranges;
  std::vector<float> point;
  bounds::HullNeuron neuron;
};

TEST(HullPlaneTest, EveryPlaneBoundsTheHingeOnTheWholeBox) {
  Random random(11);
  for (int repeat = 0; repeat < 4000; ++repeat) {
    const RandomNeuron c(random);
    if (c.neuron.left == c.neuron.right) continue;
    std::vector<double> plane = bounds::LowestPlane(c.neuron, c.ranges, c.point);
    plane.resize(c.slots.size());
    if (repeat % 3 == 0) {
      for (double& p : plane) p = random.Uniform(-2, 2);
    }
    const double constant = bounds::PlaneConstant(c.neuron, c.ranges, plane);
    const double up = c.neuron.convex() ? 1 : -1;
    double nearest = std::numeric_limits<double>::infinity();
    for (size_t bits = 0; bits < size_t{1} << c.slots.size(); ++bits) {
      const std::vector<double> x = c.Corner(bits);
      const double room = up * (c.Bound(plane, constant, x) - c.Hinge(c.Sum(x)));
      ASSERT_GE(room, -1e-14 * (1 + std::fabs(constant))) << "repeat " << repeat;
      nearest = std::min(nearest, room);
    }
    // The constant is not larger than it has to be: a hinge less a plane is convex, and largest at a corner.
    ASSERT_LE(nearest, 1e-12 * (1 + std::fabs(constant))) << "repeat " << repeat;
  }
}

// All faces by enumeration: inputs of a set at their weights, one more in part (Tjandraatmadja et al., (6)).
double LowestFace(const RandomNeuron& c) {
  const size_t n = c.slots.size();
  double lowest = std::numeric_limits<double>::infinity();
  const auto small = [&](size_t k) {
    const auto i = static_cast<size_t>(c.slots[k]);
    return c.weights[k] >= 0 ? c.ranges.lower[i] : c.ranges.upper[i];
  };
  const auto large = [&](size_t k) {
    const auto i = static_cast<size_t>(c.slots[k]);
    return c.weights[k] >= 0 ? c.ranges.upper[i] : c.ranges.lower[i];
  };
  const auto at = [&](size_t k) { return static_cast<double>(c.point[static_cast<size_t>(c.slots[k])]); };
  for (size_t set = 0; set < size_t{1} << n; ++set) {
    double rest = c.neuron.bias, value = 0;
    for (size_t k = 0; k < n; ++k) rest += c.weights[k] * ((set >> k & 1) != 0 ? small(k) : large(k));
    for (size_t k = 0; k < n; ++k) value += (set >> k & 1) != 0 ? c.weights[k] * (at(k) - small(k)) : 0.0;
    if (rest < 0) continue;
    for (size_t h = 0; h < n; ++h) {
      if ((set >> h & 1) != 0 || rest - c.weights[h] * (large(h) - small(h)) >= 0) continue;
      lowest = std::min(lowest, value + rest * (at(h) - small(h)) / (large(h) - small(h)));
    }
  }
  return lowest;
}

TEST(HullPlaneTest, ThePlaneIsTheLowestFaceAtItsPoint) {
  Random random(12);
  int compared = 0;
  for (int repeat = 0; repeat < 4000; ++repeat) {
    RandomNeuron c(random);
    c.neuron.left = 0, c.neuron.right = 1;
    const std::vector<double> plane = bounds::LowestPlane(c.neuron, c.ranges, c.point);
    const double expected = LowestFace(c);
    ASSERT_EQ(plane.empty(), !std::isfinite(expected)) << "repeat " << repeat;
    if (plane.empty()) continue;
    ++compared;
    const std::vector<double> x(c.point.begin(), c.point.end());
    const double constant = bounds::PlaneConstant(c.neuron, c.ranges, plane);
    ASSERT_NEAR(c.Bound(plane, constant, x), expected, 1e-6 * (1 + std::fabs(expected)))
        << "repeat " << repeat;
  }
  EXPECT_GT(compared, 1000);
}

TEST(HullPlaneTest, WhatTheRowIsOffByIsPaidFor) {
  Random random(13);
  RandomNeuron c(random);
  c.neuron.left = 0, c.neuron.right = 1, c.neuron.chord_slope = 0.25;
  const std::vector<double> plane(c.slots.size(), 0.5);
  const double exact = bounds::PlaneConstant(c.neuron, c.ranges, plane);
  c.neuron.error = 0.125;
  const double wider = bounds::PlaneConstant(c.neuron, c.ranges, plane);
  EXPECT_GE(wider, exact + 0.25 * 0.125);
  EXPECT_LE(wider, exact + 0.75 * 0.133);
}

// Domains of a case, bounded without cuts and with them.
struct CutCase {
  explicit CutCase(uint64_t seed, size_t count = 20) : c(seed), pair(c, 12) {
    domains = Unbounded(c, pair.root, count);
    EXPECT_TRUE(pair.compact->Optimise(domains, {.point = true}).ok());
    uncut = domains;
    const auto made = pair.compact->Cut(domains);
    EXPECT_TRUE(made.ok()) << made.status();
    cut = made.ok() && *made;
  }
  std::vector<const Domain*> Pointers() const {
    std::vector<const Domain*> pointers;
    for (const Domain& domain : domains) pointers.push_back(&domain);
    return pointers;
  }

  BoundsCase c;
  Pair pair;
  std::vector<Domain> domains, uncut;
  bool cut = false;
};

void ExpectToHold(CutCase& t, const std::vector<double>& certified, int64_t& inside) {
  for (const std::vector<double>& x : t.c.Points(150)) {
    const auto values = ir::EvaluateNodes(t.c.network, x);
    for (size_t d = 0; d < t.domains.size(); ++d) {
      if (!Satisfies(t.c, t.pair.root, t.domains[d], values)) continue;
      ++inside;
      const double margin =
          Margin(t.pair.problem, t.domains[d].weights, x, values[static_cast<size_t>(t.c.network.output)]);
      ASSERT_LE(certified[d], margin + 1e-12 * (1 + std::fabs(margin))) << "domain " << d;
      ASSERT_LE(t.domains[d].bound, margin + 1e-4 * (1 + std::fabs(margin))) << "domain " << d;
    }
  }
}

// A second round moves planes: each becomes a mean, with a constant of its own.
TEST(CutsTest, BoundsHoldWithPlanesThatWereImproved) {
  int64_t inside = 0, improved = 0;
  for (uint64_t seed = 701; seed <= 900; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    CutCase t(seed);
    for (int round = 0; t.cut && round < 3; ++round) {
      for (Domain& domain : t.domains) domain.bound = -INFINITY;
      ASSERT_TRUE(t.pair.compact->Optimise(t.domains, {.point = true}).ok());
      const auto better = t.pair.compact->Cut(t.domains);
      ASSERT_TRUE(better.ok()) << better.status();
      improved += *better;
      if (!*better) break;
    }
    if (!t.cut) continue;
    for (Domain& domain : t.domains) domain.bound = -INFINITY;
    ASSERT_TRUE(t.pair.compact->Optimise(t.domains, {}).ok());
    const auto certified = t.pair.compact->Certify(t.Pointers());
    ASSERT_TRUE(certified.ok()) << certified.status();
    ASSERT_NO_FATAL_FAILURE(ExpectToHold(t, *certified, inside));
  }
  EXPECT_GT(improved, 40);
  EXPECT_GT(inside, 20000);
}

TEST(CutsTest, BoundsWithCutsHoldAtEveryPointAndAreTighter) {
  int64_t inside = 0, tighter = 0, looser = 0, with_cuts = 0;
  for (uint64_t seed = 1; seed <= 160; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    CutCase t(seed);
    if (!t.cut) continue;
    ++with_cuts;
    for (Domain& domain : t.domains) domain.bound = -INFINITY;
    ASSERT_TRUE(t.pair.compact->Optimise(t.domains, {}).ok());
    const auto certified = t.pair.compact->Certify(t.Pointers());
    ASSERT_TRUE(certified.ok()) << certified.status();
    ASSERT_NO_FATAL_FAILURE(ExpectToHold(t, *certified, inside));
    for (size_t d = 0; d < t.domains.size(); ++d) {
      const double before = t.uncut[d].bound, scale = 1 + std::fabs(before);
      if (before > 0 || t.domains[d].bound > 0) continue;  // ended early
      // What is stored is what was bounded, but for slopes as bytes.
      ASSERT_NEAR((*certified)[d], t.domains[d].bound, 0.1 * scale) << "domain " << d;
      tighter += t.domains[d].bound > before + 1e-3 * scale;
      looser += t.domains[d].bound < before - 1e-2 * scale;
    }
  }
  EXPECT_GT(with_cuts, 60);
  EXPECT_GT(inside, 20000);
  EXPECT_GT(tighter, 400);
  EXPECT_LT(looser, tighter / 20);
}

// Cuts that are not used at all leave the certificate where it is without them.
TEST(CutsTest, WithoutWeightTheyChangeNothing) {
  int64_t compared = 0;
  for (uint64_t seed = 201; seed <= 260; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    CutCase t(seed);
    if (!t.cut) continue;
    for (size_t d = 0; d < t.domains.size(); ++d) {
      std::vector<uint8_t>& slopes = t.domains[d].slopes;
      std::fill(slopes.begin() + t.pair.root.slope_count, slopes.end(), uint8_t{0});
    }
    // Byte 0 is the lower end of the slopes, which is 0 for either kind of neuron.
    const auto ours = t.pair.compact->Certify(t.Pointers());
    const auto theirs = search::CertifyDomains(t.pair.run, t.pair.root, t.Pointers());
    ASSERT_TRUE(ours.ok() && theirs.ok());
    for (size_t d = 0; d < t.domains.size(); ++d, ++compared) {
      ASSERT_NEAR((*ours)[d], (*theirs)[d], 1e-9 * (1 + std::fabs((*theirs)[d]))) << "domain " << d;
    }
  }
  EXPECT_GT(compared, 300);
}

TEST(CutsTest, LookAheadIsOnePassOfTheChildAndCompanyDoesNotShow) {
  int64_t probed = 0;
  for (uint64_t seed = 301; seed <= 330; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    CutCase t(seed, 40);
    if (!t.cut) continue;
    for (Domain& domain : t.domains) domain.bound = -INFINITY;
    std::vector<Domain> alone = {t.domains[3]};
    ASSERT_TRUE(t.pair.compact->Optimise(t.domains, {.candidates = 3}).ok());
    ASSERT_TRUE(t.pair.compact->Optimise(alone, {.candidates = 3}).ok());
    ASSERT_EQ(alone[0].bound, t.domains[3].bound);
    ASSERT_EQ(alone[0].slopes, t.domains[3].slopes);
    for (const Domain& parent : t.domains) {
      for (const search::Candidate& candidate : parent.candidates) {
        const auto tried = t.pair.compact->LookAhead({{&parent, candidate, 1}});
        std::vector<Domain> child = {search::MakeChild(parent, candidate, 1)};
        child[0].bound = -INFINITY;
        ASSERT_TRUE(t.pair.compact->Optimise(child, {.iterations = 1}).ok());
        ASSERT_TRUE(tried.ok());
        ASSERT_NEAR((*tried)[0], child[0].bound, 1e-5 * (1 + std::fabs(child[0].bound)));
        ++probed;
      }
    }
  }
  EXPECT_GT(probed, 200);
}

// A bound is the value of the lines that it was made of at the corner that attains it: going forward through
// the same lines, cuts among them, gives it again.
TEST(CutsTest, ThePointOfAPassAttainsItsBound) {
  int64_t compared = 0;
  for (uint64_t seed = 501; seed <= 600; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    Pair pair(c, 1);
    const backend::CompactNetwork& network = pair.root.left->network;
    const std::vector<double> normals = c.random.Normals(network.outputs(), 1.0);
    backend::CompactDomain domain;
    domain.output.assign(normals.begin(), normals.end());
    const auto bound = [&](const backend::CompactNetwork& on, int64_t passes) {
      backend::CompactDomain own = domain;
      const auto device = c.plan->backend().MakeCompact(on);
      EXPECT_TRUE(device.ok() &&
                  (*device)->Bound(absl::MakeSpan(&own, 1), {.iterations = passes, .points = true}).ok());
      return own;
    };
    const backend::CompactDomain uncut = bound(network, 12);
    if (uncut.point.empty()) continue;  // refuted in the first pass
    bounds::CutMaker maker(network);
    maker.Know(bounds::RangesOfUnstable(pair.root.bounds.layers, pair.root.left->unstable));
    if (!maker.Improve({uncut.point, uncut.coefficients})) continue;
    const bounds::CutNetwork cut = maker.Make(bounds::CutNumbers::kBehind);
    const double expected = bound(cut.network, 1).bound;
    const backend::CompactDomain two = bound(cut.network, 2);
    if (two.point.empty()) continue;
    const backend::CompactStage& outputs = cut.network.stages.back();
    double value = 0, size = 1;
    for (size_t o = 0; o < domain.output.size(); ++o) {
      double row = outputs.bias[o];
      for (int64_t k = outputs.rows.begin[o]; k < outputs.rows.begin[o + 1]; ++k) {
        const auto at = static_cast<size_t>(k);
        row += outputs.rows.value[at] *
               static_cast<double>(two.point[static_cast<size_t>(outputs.rows.column[at])]);
      }
      value += static_cast<double>(domain.output[o]) * row;
      size += std::fabs(static_cast<double>(domain.output[o]) * row);
    }
    ASSERT_NEAR(value, expected, 1e-4 * size);
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST(CutsTest, UncutGoesBack) {
  int64_t compared = 0;
  for (uint64_t seed = 401; seed <= 420; ++seed) {
    CutCase t(seed);
    if (!t.cut) continue;
    ++compared;
    EXPECT_GT(t.pair.compact->CutWork(), 1);
    t.pair.compact->Uncut();
    EXPECT_EQ(t.pair.compact->CutWork(), 1);
    std::vector<Domain> again = t.uncut;
    const auto certified = t.pair.compact->Certify({&again[0]});
    const auto expected = search::CertifyDomains(t.pair.run, t.pair.root, {&again[0]});
    ASSERT_TRUE(certified.ok() && expected.ok());
    EXPECT_NEAR((*certified)[0], (*expected)[0], 1e-9 * (1 + std::fabs((*expected)[0])));
    ASSERT_TRUE(t.pair.compact->Optimise(again, {}).ok());
    EXPECT_EQ(again[0].slopes.size(), t.uncut[0].slopes.size());
  }
  EXPECT_GT(compared, 5);
}

}  // namespace
}  // namespace espalier::testing
