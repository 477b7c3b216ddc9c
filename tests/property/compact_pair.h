// The two bounders of domains on one root of a random case: on the network that is left, and on the whole
// one.
#pragma once

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "tests/property/split_cases.h"
#include "verifier/bounds/compact.h"
#include "verifier/search/batched_bounder.h"
#include "verifier/search/compact_bounder.h"

namespace espalier::testing {

using search::Domain;

inline std::vector<std::vector<int32_t>> UnstableOf(const search::SharedRoot& root) {
  std::vector<std::vector<int32_t>> unstable;
  for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
    unstable.push_back(root.relaxation64.unstable(static_cast<int>(a)));
  }
  return unstable;
}

struct Pair {
  Pair(BoundsCase& c, int64_t iterations)
      : problem(MakeProblem(c)),
        run(problem, *c.plan, WithIterations(iterations), judge, nullptr, StopToken()) {
    root = *search::SharedRoot::Make(*c.plan, c.Layers({}));
    auto network = bounds::MakeCompactNetwork(*c.plan, root.bounds.boxes, root.bounds.layers,
                                              root.relaxation64, int64_t{1} << 30);
    live = network.has_value() ? network->work() : -1;
    if (network.has_value()) {
      auto device = c.plan->backend().MakeCompact(*network);
      root.left = std::make_shared<const bounds::LeftNetwork>(
          bounds::LeftNetwork{*std::move(network), UnstableOf(root)});
      compact = std::make_unique<search::CompactDomainBounder>(run, root, *std::move(device));
    }
    batched = std::make_unique<search::BatchedDomainBounder>(run, root);
  }
  const api::Options& WithIterations(int64_t iterations) {
    options.split_iterations = iterations;
    return options;
  }

  const NoJudge judge;
  api::Options options;
  const search::Problem problem;
  search::Run run;
  search::SharedRoot root;
  int64_t live = -1;
  std::unique_ptr<search::DomainBounder> compact, batched;
};

// Domains as the search has them before they are bounded.
inline std::vector<Domain> Unbounded(BoundsCase& c, const search::SharedRoot& root, size_t count) {
  std::vector<Domain> domains = RandomDomains(c, root, count);
  for (Domain& domain : domains) domain.bound = -INFINITY;
  return domains;
}

}  // namespace espalier::testing
