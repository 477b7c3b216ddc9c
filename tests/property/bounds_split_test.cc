// Children of a split: their certified bounds hold for every point of the box that satisfies the splits.
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"
#include "verifier/search/domain_batch.h"

namespace espalier::testing {
namespace {

class NoJudge : public api::WitnessJudge {
 public:
  std::optional<api::Witness> Judge(absl::Span<const double>) const override { return std::nullopt; }
};

// A problem of one disjunct with two rows (one also reads inputs) on the case's box.
search::Problem MakeProblem(BoundsCase& c) {
  search::Problem problem;
  problem.inputs = c.network.input_size();
  problem.outputs = c.network.output_size();
  problem.boxes = {c.box};
  search::Target target;
  target.rows = 2;
  target.output = c.random.Normals(2 * problem.outputs, 1.0);
  if (c.random.Chance(0.5)) target.input = c.random.Normals(2 * problem.inputs, 1.0);
  target.rhs = c.random.Normals(2, 1.0);
  problem.targets = {target};
  return problem;
}

// Weighted margin of the target's rows at a point.
double Margin(const search::Problem& problem, const std::vector<double>& weights,
              const std::vector<double>& x, const std::vector<double>& y) {
  const search::Target& target = problem.targets[0];
  long double sum = 0;
  for (size_t r = 0; r < weights.size(); ++r) {
    long double row = -static_cast<long double>(target.rhs[r]);
    for (size_t j = 0; j < y.size(); ++j)
      row += static_cast<long double>(target.output[r * y.size() + j]) * y[j];
    for (size_t j = 0; j < x.size() && !target.input.empty(); ++j) {
      row += static_cast<long double>(target.input[r * x.size() + j]) * x[j];
    }
    sum += static_cast<long double>(weights[r]) * row;
  }
  return static_cast<double>(sum);
}

std::vector<search::Domain> RandomDomains(BoundsCase& c, const search::SharedRoot& root, size_t count) {
  std::vector<search::Domain> domains(count);
  for (search::Domain& domain : domains) {
    domain.weights = {c.random.Uniform(0, 2), c.random.Chance(0.3) ? 0.0 : c.random.Uniform(0, 2)};
    for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
      const auto width = static_cast<int32_t>(root.relaxation64.unstable(static_cast<int>(a)).size());
      for (int32_t j = 0; j < width; ++j) {
        if (!c.random.Chance(0.15)) continue;
        const auto sign = static_cast<int8_t>(c.random.Chance(0.5) ? 1 : -1);
        domain.splits.push_back(
            {static_cast<int16_t>(a), sign, j, static_cast<float>(c.random.Uniform(0, 1))});
      }
    }
    if (c.random.Chance(0.5)) continue;
    for (int64_t k = 0; k < root.slope_count; ++k)
      domain.slopes.push_back(static_cast<uint8_t>(c.random.Int(0, 255)));
  }
  return domains;
}

bool Satisfies(const BoundsCase& c, const search::SharedRoot& root, const search::Domain& domain,
               const std::vector<std::vector<double>>& values) {
  for (const search::Split& split : domain.splits) {
    const auto node = static_cast<size_t>(
        c.plan->node(c.plan->activations()[static_cast<size_t>(split.layer)]).predecessor);
    const auto neuron =
        static_cast<size_t>(root.relaxation64.unstable(split.layer)[static_cast<size_t>(split.unstable)]);
    if (split.sign * values[node][neuron] < 0) return false;
  }
  return true;
}

TEST(BoundsSplitTest, ChildrenHoldEveryPointOfTheirHalf) {
  int64_t inside = 0, after_optimisation_tighter = 0;
  for (uint64_t seed = 1; seed <= 80; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    const search::Problem problem = MakeProblem(c);
    const api::Options options;
    const NoJudge judge;
    search::Run run(problem, *c.plan, options, judge, nullptr, StopToken());
    search::SharedRoot root = *search::SharedRoot::Make(*c.plan, c.Layers({}));
    std::vector<search::Domain> domains = RandomDomains(c, root, 8);
    std::vector<const search::Domain*> pointers;
    std::vector<search::Domain*> targets;
    for (search::Domain& domain : domains) pointers.push_back(&domain), targets.push_back(&domain);
    const auto before = search::CertifyDomains(run, root, pointers);
    ASSERT_TRUE(before.ok()) << before.status();
    {
      search::DomainBatch<float> batch(run, root);
      ASSERT_TRUE(batch.Load(pointers).ok());
      bounds::Optimiser<float> optimiser(*c.plan);
      bounds::OptimiseResult result;
      ASSERT_TRUE(optimiser.Run(batch.Input(), {.iterations = 10}, nullptr, StopToken(), result).ok());
      batch.Store(/*best=*/true, targets);
    }
    const auto after = search::CertifyDomains(run, root, pointers);
    ASSERT_TRUE(after.ok()) << after.status();
    for (size_t d = 0; d < domains.size(); ++d)
      after_optimisation_tighter += (*after)[d] > (*before)[d] + 1e-3;
    for (const std::vector<double>& x : c.Points()) {
      const auto values = ir::EvaluateNodes(c.network, x);
      for (size_t d = 0; d < domains.size(); ++d) {
        if (!Satisfies(c, root, domains[d], values)) continue;
        ++inside;
        const double margin =
            Margin(problem, domains[d].weights, x, values[static_cast<size_t>(c.network.output)]);
        ASSERT_LE((*before)[d], margin) << "domain " << d;
        ASSERT_LE((*after)[d], margin) << "domain " << d << " after optimisation";
      }
    }
  }
  EXPECT_GT(inside, 20000);
  EXPECT_GT(after_optimisation_tighter, 100);
}

}  // namespace
}  // namespace espalier::testing
