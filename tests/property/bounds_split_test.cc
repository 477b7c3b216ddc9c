// Children of a split: their certified bounds hold for every point of the box that satisfies the splits.
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/property/split_cases.h"

namespace espalier::testing {
namespace {

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
