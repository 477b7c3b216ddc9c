// Cuts in the rows of inner layers: bounds that are refined with them hold at every point that they are for,
// and are tighter.
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/property/refine_cases.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/compact_narrow.h"
#include "verifier/bounds/cut_points.h"
#include "verifier/bounds/cuts.h"
#include "verifier/bounds/row_network.h"
#include "verifier/search/part_root.h"
#include "verifier/search/root.h"
#include "verifier/search/tightening.h"

namespace espalier::testing {
namespace {

// Plain bounds, and the same with cuts that were found on the way.
struct Refined {
  explicit Refined(BoundsCase& c) : plain(c.Layers({})) {
    EXPECT_TRUE(bounds::RefineBounds(*c.plan, {.iterations = 15, .keep = &memory}, StopToken(), plain).ok());
    sharp = plain;
    const bounds::RefineSettings settings{
        .iterations = 15, .start = &memory, .keep = &kept, .found_points = &points};
    EXPECT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), sharp).ok());
  }

  bounds::RefineMemory memory, kept;
  bounds::CutPoints points;
  bounds::DomainBounds plain, sharp;
};

TEST(RefineCutsTest, BoundsHoldAndAreTighter) {
  double plain = 0, again = 0, sharp = 0;
  int64_t found = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const Refined r(c);
    bounds::DomainBounds more = r.plain;
    ASSERT_TRUE(
        bounds::RefineBounds(*c.plan, {.iterations = 15, .start = &r.memory}, StopToken(), more).ok());
    for (const std::vector<double>& x : c.Points(300)) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, r.sharp, x));
    found += !r.points.neuron.empty();
    plain += Area(c, r.plain);
    again += Area(c, more);
    sharp += Area(c, r.sharp);
  }
  EXPECT_GT(found, 50);
  EXPECT_LT(again, plain);
  EXPECT_LT(sharp, plain - 3 * (plain - again));  // not for having been refined twice
  EXPECT_LT(sharp, 0.99 * plain);
}

// Rows of convolutions are bounded on their cones, with the cuts of these.
TEST(RefineCutsTest, BoundsHoldAndAreTighterOnResidualImages) {
  double plain = 0, sharp = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Network network = RandomImageNetwork(random, {.layers = 3, .skip = 0.9});
    BoundsCase c(random, std::move(network), 0.4);
    const Refined r(c);
    for (const std::vector<double>& x : c.Points(200)) ASSERT_NO_FATAL_FAILURE(ExpectInside(c, r.sharp, x));
    plain += Area(c, r.plain);
    sharp += Area(c, r.sharp);
  }
  EXPECT_LT(sharp, 0.995 * plain);
}

// Below a part of the root there are fewer unstable neurons, with other chords: the points serve there as
// well.
TEST(RefineCutsTest, PointsOfARootServeItsParts) {
  int64_t inside = 0;
  double without = 0, with = 0;
  for (uint64_t seed = 201; seed <= 330; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const Refined r(c);
    std::vector<bounds::NeuronSide> sides;
    bounds::DomainBounds half = r.sharp;
    for (size_t a = 0; a < half.layers.size() && sides.size() < 2; ++a) {
      for (size_t i = 0; i < half.layers[a].lower.size() && sides.size() < 2; ++i) {
        const ir::HingeLayer& hinge = c.plan->hinge(static_cast<int>(a));
        if (hinge.left[i] == hinge.right[i] || !(half.layers[a].lower[i] < 0 && half.layers[a].upper[i] > 0))
          continue;
        if (c.random.Chance(0.5)) continue;
        const auto sign = static_cast<int8_t>(c.random.Chance(0.5) ? 1 : -1);
        sides.push_back({static_cast<int32_t>(a), static_cast<int32_t>(i), sign});
      }
    }
    for (const bounds::NeuronSide& side : sides) ASSERT_TRUE(bounds::TakeSide(side, half.layers));
    bounds::DomainBounds plain = half;
    bounds::RefineSettings settings{.iterations = 8, .start = &r.kept, .sides = sides};
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), plain).ok());
    settings.points = &r.points;
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), half).ok());
    for (const std::vector<double>& x : c.Points(300)) {
      if (!OnSides(c, sides, ir::EvaluateNodes(c.network, x))) continue;
      ++inside;
      ASSERT_TRUE(half.empty.empty());
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, half, x));
    }
    without += Area(c, plain);
    with += Area(c, half);
  }
  EXPECT_GT(inside, 5000);
  EXPECT_LT(with, 0.999 * without);
}

// What is found does not depend on the number of threads, nor do the bounds.
TEST(RefineCutsTest, TheSameOnAnyNumberOfThreads) {
  for (uint64_t seed = 401; seed <= 420; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    bounds::CutPoints first;
    bounds::DomainBounds expected;
    for (const int64_t threads : {1, 2, 3}) {
      auto backend = backend::MakeCpuBackend({.threads = threads});
      ASSERT_TRUE(backend.ok());
      auto plan = bounds::Plan::Make(c.network, **backend);
      ASSERT_TRUE(plan.ok());
      bounds::CutPoints points;
      bounds::DomainBounds own = c.Layers({});
      ASSERT_TRUE(
          bounds::RefineBounds(**plan, {.iterations = 10, .found_points = &points}, StopToken(), own).ok());
      if (threads == 1) {
        first = points;
        expected = own;
        continue;
      }
      EXPECT_EQ(points.neuron, first.neuron);
      EXPECT_EQ(points.value, first.value);
      for (size_t a = 0; a < own.layers.size(); ++a) {
        EXPECT_EQ(own.layers[a].lower, expected.layers[a].lower);
        EXPECT_EQ(own.layers[a].upper, expected.layers[a].upper);
      }
    }
  }
}

// A row that ends with its first pass has seen no point: what another row has left in its lane is not its
// own.
TEST(RefineCutsTest, ARowOfOnePassHasNoPoint) {
  int64_t ended = 0, with_point = 0;
  for (uint64_t seed = 501; seed <= 540; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const bounds::DomainBounds root = c.Layers({});
    const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, root.layers, 1);
    bounds::RowNetwork network(*c.plan);
    network.Take(*bounds::MakeLeftNetwork(*c.plan, root.boxes, root.layers, relaxation, nullptr));
    ASSERT_TRUE(network.List().ok());
    const int last = static_cast<int>(root.layers.size()) - 1;
    if (!network.HasRows(last)) continue;
    std::vector<backend::CompactDomain> rows(100);
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].unit = network.RowOf(last, r % network.unstable(last).size());
      rows[r].offset = r % 3 == 0 ? 1e6 : 0;  // positive at once
    }
    ASSERT_TRUE(network.bounder()
                    .Bound(absl::MakeSpan(rows),
                           {.iterations = 4, .start_stage = network.StartStage(last), .points = true})
                    .ok());
    for (size_t r = 0; r < rows.size(); ++r) {
      if (r % 3 == 0) {
        ++ended;
        ASSERT_TRUE(rows[r].point.empty() && rows[r].coefficients.empty()) << "row " << r;
      } else {
        with_point += !rows[r].point.empty();
      }
    }
  }
  EXPECT_GT(ended, 500);
  EXPECT_GT(with_point, 500);
}

// The certificate of an inner row is a linear bound of it: `bound` at the corner that its coefficients point
// to.
void ExpectLinearBounds(BoundsCase& c, bounds::RowNetwork& network, const bounds::DomainBounds& root,
                        int activation, int64_t& checked) {
  const size_t inputs = root.boxes.lower.size();
  std::vector<backend::CompactDomain> rows(2 * network.unstable(activation).size());
  for (size_t r = 0; r < rows.size(); ++r) {
    rows[r].unit = network.RowOf(activation, r / 2);
    rows[r].sign = r % 2 == 0 ? 1.0f : -1.0f;
  }
  const int32_t start = network.StartStage(activation);
  ASSERT_TRUE(network.bounder()
                  .Bound(absl::MakeSpan(rows), {.iterations = 5, .start_stage = start, .exact_slopes = true})
                  .ok());
  std::vector<backend::CompactClaim> claims(rows.size());
  std::vector<double> lambda(rows.size() * inputs);
  for (size_t r = 0; r < rows.size(); ++r) {
    claims[r].unit = rows[r].unit;
    claims[r].sign = static_cast<double>(rows[r].sign);
    claims[r].exact_slopes = rows[r].exact_slopes;
    claims[r].lambda = lambda.data() + r * inputs;
  }
  ASSERT_TRUE(network.certifier()->Bound(absl::MakeSpan(claims), start).ok());
  const std::vector<double> corner = bounds::CornersOf(lambda, root.boxes);
  const auto node =
      static_cast<size_t>(c.plan->node(c.plan->activations()[static_cast<size_t>(activation)]).predecessor);
  for (size_t r = 0; r < rows.size(); ++r) {
    ASSERT_NEAR(claims[r].bound, rows[r].bound, 1e-3 * (1 + std::fabs(rows[r].bound))) << "row " << r;
  }
  for (const std::vector<double>& x : c.Points(60)) {
    const auto values = ir::EvaluateNodes(c.network, x);
    for (size_t r = 0; r < rows.size(); ++r, ++checked) {
      const auto neuron = static_cast<size_t>(network.unstable(activation)[r / 2]);
      double bound = bounds::Proved(claims[r], 0);
      for (size_t i = 0; i < inputs; ++i) bound += lambda[r * inputs + i] * (x[i] - corner[r * inputs + i]);
      const double value = claims[r].sign * values[node][neuron];
      ASSERT_LE(bound, value + 1e-9 * (1 + std::fabs(value))) << "row " << r;
    }
  }
}

TEST(RefineCutsTest, CertificatesOfInnerRowsAreLinearBounds) {
  int64_t checked = 0, with_cuts = 0;
  for (uint64_t seed = 601; seed <= 680; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const Refined r(c);
    const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, r.plain.layers, 1);
    bounds::RowNetwork network(*c.plan);
    network.Take(*bounds::MakeLeftNetwork(*c.plan, r.plain.boxes, r.plain.layers, relaxation, nullptr));
    for (int a = 0; a < static_cast<int>(r.plain.layers.size()); ++a) {
      if (!network.HasRows(a)) continue;
      if (network.first(a) > 0) {
        ASSERT_TRUE(network.AddCuts(a, r.points, r.plain.layers, /*anew=*/false).ok());
      }
      ASSERT_TRUE(network.List().ok());
      with_cuts += !network.neuron_of().empty();
      ASSERT_NO_FATAL_FAILURE(ExpectLinearBounds(c, network, r.plain, a, checked));
    }
  }
  EXPECT_GT(checked, 20000);
  EXPECT_GT(with_cuts, 30);
}

// A device that bounds on what is left of a network and certifies on the whole one, as cards do.
class NoCertifier final : public backend::Backend {
 public:
  NoCertifier() : cpu_(*backend::MakeCpuBackend({.threads = 1})) {}
  absl::StatusOr<backend::RawBuffer> AllocateBytes(int64_t bytes) override {
    return cpu_->AllocateBytes(bytes);
  }
  void Free(void* data, int64_t bytes) override { cpu_->Free(data, bytes); }
  void Upload(const void* host, int64_t bytes, void* device) override { cpu_->Upload(host, bytes, device); }
  void Download(const void* device, int64_t bytes, void* host) override {
    cpu_->Download(device, bytes, host);
  }
  absl::Status Synchronise() override { return cpu_->Synchronise(); }
  absl::StatusOr<std::shared_ptr<const backend::PreparedMap>> Prepare(const ir::LinearMapPtr& map) override {
    return cpu_->Prepare(map);
  }
  absl::StatusOr<std::shared_ptr<const backend::PreparedMap>> PrepareAbs(
      const ir::LinearMapPtr& map) override {
    return cpu_->PrepareAbs(map);
  }
  void Widen(int64_t count, const float* in, double* out) override { cpu_->Widen(count, in, out); }
  backend::Kernels<float>& f32() override { return cpu_->f32(); }
  backend::Kernels<double>& f64() override { return cpu_->f64(); }
  backend::Training& training() override { return cpu_->training(); }
  absl::StatusOr<std::unique_ptr<backend::CompactBounder>> MakeCompact(
      const backend::CompactNetwork& network) override {
    if (backend::HasCuts(network)) return absl::UnimplementedError("no cuts here");
    return cpu_->MakeCompact(network);
  }
  int64_t bytes_in_use() const override { return cpu_->bytes_in_use(); }
  int64_t threads() const override { return 1; }

 private:
  std::unique_ptr<backend::Backend> cpu_;
};

// The same bounds as with certificates of the device's own, at roots and on sides, and no cuts.
TEST(RefineCutsTest, WithoutCertifierTheWholeNetworkCertifies) {
  int64_t inside = 0, compared = 0;
  for (uint64_t seed = 701; seed <= 760; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    NoCertifier device;
    const auto plan = bounds::Plan::Make(c.network, device);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const bounds::DomainBounds root = c.Layers({});
    std::vector<bounds::NeuronSide> sides;
    bounds::DomainBounds ours = root;
    for (size_t i = 0; i < root.layers[0].lower.size() && sides.empty() && seed % 2 == 0; ++i) {
      if (root.layers[0].lower[i] < 0 && root.layers[0].upper[i] > 0)
        sides.push_back({0, static_cast<int32_t>(i), static_cast<int8_t>(seed % 4 == 0 ? 1 : -1)});
    }
    for (const bounds::NeuronSide& side : sides) ASSERT_TRUE(bounds::TakeSide(side, ours.layers));
    bounds::DomainBounds theirs = ours;
    bounds::CutPoints found;
    const bounds::RefineSettings settings{.iterations = 10, .sides = sides};
    bounds::RefineSettings finding = settings;
    finding.found_points = &found;
    ASSERT_TRUE(bounds::RefineBounds(*c.plan, settings, StopToken(), ours).ok());
    ASSERT_TRUE(bounds::RefineBounds(**plan, finding, StopToken(), theirs).ok());
    EXPECT_TRUE(found.neuron.empty());
    for (size_t a = 0; a < ours.layers.size(); ++a) {
      for (size_t i = 0; i < ours.layers[a].lower.size(); ++i, ++compared) {
        const double width = 1 + ours.layers[a].upper[i] - ours.layers[a].lower[i];
        ASSERT_NEAR(ours.layers[a].lower[i], theirs.layers[a].lower[i], 1e-3 * width) << a << ' ' << i;
        ASSERT_NEAR(ours.layers[a].upper[i], theirs.layers[a].upper[i], 1e-3 * width) << a << ' ' << i;
      }
    }
    for (const std::vector<double>& x : c.Points(100)) {
      if (!OnSides(c, sides, ir::EvaluateNodes(c.network, x))) continue;
      ++inside;
      ASSERT_NO_FATAL_FAILURE(ExpectInside(c, theirs, x));
    }
  }
  EXPECT_GT(inside, 2000);
  EXPECT_GT(compared, 1000);
}

// Two targets, one of them with plenty of unsafe points, at a root that is made sharper: neither the one
// alone nor both together lose a point that is unsafe for them, and halves of what was made do not either.
TEST(SharperTest, UnsafePointsStayInside) {
  int64_t unsafe_points = 0, sharper = 0, tighter = 0, halves = 0;
  for (uint64_t seed = 1; seed <= 160; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const auto points = c.Points(300);
    const search::Problem problem = TwoTargets(c, points);
    api::Options options;
    options.intermediate_iterations = 8;
    const NoJudge judge;
    search::Run run(problem, *c.plan, options, judge, nullptr, StopToken());
    auto root = search::BoundRoot(run, 0, run.OpenTargets());
    ASSERT_TRUE(root.ok()) << root.status();
    const auto part = PartOf(run, *root, seed);
    ASSERT_TRUE(part.ok()) << part.status();
    if ((*part)->open.empty()) continue;
    const double area = Area(c, (*part)->root.bounds);
    const std::vector<search::Domain> open = (*part)->open;
    const auto sharp = search::MakeSharper(run, **part, open, /*rounds=*/2, {.rounds = 5, .iterations = 4});
    ASSERT_TRUE(sharp.ok()) << sharp.status();
    if ((*sharp)->points == nullptr) continue;
    ++sharper;
    const auto expect_inside = [&](const search::PartRoot& own, const auto& there) {
      for (const auto& x : points) {
        if (!there(x)) continue;
        const auto values = ir::EvaluateNodes(c.network, x);
        for (const search::Domain& domain : open) {
          search::Problem single = problem;
          single.targets = {problem.targets[static_cast<size_t>(domain.target)]};
          if (Margin(single, {1, 0}, x, values[static_cast<size_t>(c.network.output)]) > -1e-9) continue;
          ++unsafe_points;
          ASSERT_TRUE(std::any_of(own.open.begin(), own.open.end(),
                                  [&](const search::Domain& d) { return d.target == domain.target; }));
          ExpectInside(c, own.root.bounds, x);
        }
      }
    };
    ASSERT_NO_FATAL_FAILURE(expect_inside(**sharp, [](const auto&) { return true; }));
    if ((*sharp)->open.empty()) continue;
    tighter += Area(c, (*sharp)->root.bounds) < 0.99 * area;
    const auto splits = search::TighteningSplits(run, **sharp, 3, /*inputs=*/true);
    ASSERT_TRUE(splits.ok()) << splits.status();
    if (splits->empty() || (*sharp)->open.size() != open.size()) continue;
    const search::Candidate& split = seed % 3 == 0 ? splits->back() : splits->front();
    const auto both = search::MakeHalves(run, **sharp, (*sharp)->open, split);
    ASSERT_TRUE(both.ok()) << both.status();
    for (const size_t k : {size_t{0}, size_t{1}}) {
      const auto sign = static_cast<int8_t>(k == 0 ? 1 : -1);
      const auto there = [&](const auto& x) { return InHalf(c, **sharp, split, sign, x); };
      ++halves;
      ASSERT_NO_FATAL_FAILURE(expect_inside(*(*both)[k], there));
    }
  }
  EXPECT_GT(unsafe_points, 5000);
  EXPECT_GT(sharper, 40);
  EXPECT_GT(tighter, 20);
  EXPECT_GT(halves, 40);
}

}  // namespace
}  // namespace espalier::testing
