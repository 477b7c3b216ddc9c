// Problems and randomly split domains on the cases of bounds_cases.h, for tests of what the search bounds.
#pragma once

#include <optional>
#include <vector>

#include "tests/property/bounds_cases.h"
#include "verifier/search/domain_batch.h"

namespace espalier::testing {

class NoJudge : public api::WitnessJudge {
 public:
  std::optional<api::Witness> Judge(absl::Span<const double>) const override { return std::nullopt; }
};

// A problem of one disjunct with two rows (one also reads inputs) on the case's box.
search::Problem MakeProblem(BoundsCase& c);

// Weighted margin of the target's rows at a point.
double Margin(const search::Problem& problem, const std::vector<double>& weights,
              const std::vector<double>& x, const std::vector<double>& y);

// Domains with random weights, splits with multipliers, and slopes (half of them: the adaptive start).
std::vector<search::Domain> RandomDomains(BoundsCase& c, const search::SharedRoot& root, size_t count);

// Whether the values of all nodes satisfy the domain's splits.
bool Satisfies(const BoundsCase& c, const search::SharedRoot& root, const search::Domain& domain,
               const std::vector<std::vector<double>>& values);

}  // namespace espalier::testing
