// Branching: which neuron a domain is split on.
//
// Candidates come from a cheap score over all unstable neurons (BaBSR-like, Bunel et al. 2020, from the
// coefficients of the last bound pass); the best few are re-scored by bounding both children once without
// optimisation (filtered smart branching, De Palma et al. 2021), and the one whose weaker child improves most
// wins. Grafted neurons are never unstable and cannot appear.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_bounder.h"

namespace espalier::search {

// For every domain the index of its best candidate, by one bound pass over all children of all candidates, at
// most about `rows_per_pass` at a time. Domains without candidates get any neuron that is not split yet as
// their only one, or -1 when there is none.
absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, SharedRoot& root, DomainBounder& bounder,
                                              std::vector<Domain>& domains, int64_t rows_per_pass);

}  // namespace espalier::search
