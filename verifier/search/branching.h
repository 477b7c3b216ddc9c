// Branching: which neuron a domain is split on.
//
// Candidates come from a cheap score over all unstable neurons (BaBSR-like, Bunel et al. 2020, from the
// coefficients of the last bound pass). Those that ratings (split_ratings.h) expect the most of are re-scored
// by bounding both children once without optimisation (filtered smart branching, De Palma et al. 2021), and
// the one whose weaker child improves most wins. Grafted neurons are never unstable and cannot appear.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_bounder.h"
#include "verifier/search/split_ratings.h"

namespace espalier::search {

struct LookAheadSettings {
  SplitRatings& ratings;  // learn from what is tried
  int64_t tried;          // candidates of a domain
  int64_t rows_per_pass;
};

// For every domain the index of its best candidate, by one bound pass over both children of those that are
// tried, at most about `rows_per_pass` at a time. Domains without candidates get any neuron that is not split
// yet as their only one, or -1 when there is none.
absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, const SharedRoot& root, DomainBounder& bounder,
                                              const LookAheadSettings& settings,
                                              std::vector<Domain>& domains);

}  // namespace espalier::search
