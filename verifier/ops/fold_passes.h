// The passes behind Fold (fold.h). Each takes and leaves a network with the invariants of ir/network.h.
#pragma once

#include <cstddef>
#include <vector>

#include "verifier/ir/network.h"

namespace espalier::ops {

// Nodes with more terms than this are not joined any further.
inline constexpr size_t kMaxTerms = 64;

// fold.cc: drops nodes that the output does not need and renumbers the rest.
void RemoveDeadNodes(ir::Network& network);

// fold_elementwise.cc
void FoldElementwise(ir::Network& network);

// fold_affine.cc
void FoldAffine(ir::Network& network);

// fold_terms.cc: adds up terms of one predecessor where the sum is not more work, drops zero terms.
void MergeTerms(std::vector<ir::AffineTerm>& terms);

// fold_terms.cc: the terms that reach the node behind `outer` through `inner`'s own terms, and inner's bias
// seen from there added to `bias`. false, with nothing changed, when a product has no structured form.
bool Substitute(const ir::LinearMap& outer, const ir::NetworkNode& inner, std::vector<ir::AffineTerm>& terms,
                std::vector<double>& bias);

// fold_input.cc
void AbsorbInputPermutation(ir::Network& network);

// fold_prune.cc
void PruneNeurons(ir::Network& network);

}  // namespace espalier::ops
