// Branching: which neuron a domain is split on.
//
// Candidates come from a cheap score over all unstable neurons (BaBSR-like, Bunel et al. 2020, from the
// coefficients of the last bound pass); the best few are re-scored by bounding both children once without
// optimisation (filtered smart branching, De Palma et al. 2021), and the one whose weaker child improves most
// wins. Grafted neurons are never unstable and cannot appear.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

// Top candidates per domain from the scores of `optimiser`'s last pass over `batch` (rows as loaded).
absl::Status CollectCandidates(const Run& run, SharedRoot& root, DomainBatch<float>& batch,
                               const std::vector<backend::Buffer<float>>& saved, int64_t keep,
                               const std::vector<Domain*>& domains);

// For every domain the index of its best candidate, by one bound pass over all children of all candidates.
// Domains without candidates get -1.
absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, SharedRoot& root, const std::vector<Domain>& domains,
                                              int64_t rows_per_pass);

// The child of `parent` on one side of a candidate.
Domain MakeChild(const Domain& parent, const Candidate& candidate, int8_t sign);

}  // namespace espalier::search
