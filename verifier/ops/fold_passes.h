// The passes behind Fold (fold.h). Each takes and leaves a network with the invariants of ir/network.h.
#pragma once

#include <cstddef>
#include <vector>

#include "verifier/ir/network.h"
#include "verifier/ops/fold.h"

namespace espalier::ops {

// Nodes with more terms than this are not joined any further.
inline constexpr size_t kMaxTerms = 64;

// fold.cc: drops nodes that the output does not need and renumbers the rest.
void RemoveDeadNodes(ir::Network& network);

// fold_elementwise.cc
void FoldElementwise(ir::Network& network);

// fold_affine.cc
void FoldAffine(ir::Network& network, const FoldSettings& settings);

// fold_terms.cc: adds up terms of one predecessor where the sum is not more work and not off by rounding,
// drops zero terms.
void MergeTerms(std::vector<ir::AffineTerm>& terms);

// The constant of an affine node while terms are substituted: NetworkNode's fields of the same names.
struct Bias {
  std::vector<double> bias, bias_residual;
  double bias_roundings = 0;

  explicit Bias(const ir::NetworkNode& node)
      : bias(node.bias), bias_residual(node.bias_residual), bias_roundings(node.bias_roundings) {}
  void MoveTo(ir::NetworkNode& node) &&;
};

// fold_terms.cc: appends the terms that reach the node behind `use` through `inner`'s own terms, and adds
// inner's bias seen from there to `bias`. false, with nothing changed, when a product has no structured form
// or its rounding would be noticed.
bool Substitute(const ir::AffineTerm& use, const ir::NetworkNode& inner, std::vector<ir::AffineTerm>& terms,
                Bias& bias);

// fold_input.cc
void AbsorbInputPermutation(ir::Network& network);

// fold_prune.cc
void PruneNeurons(ir::Network& network);

}  // namespace espalier::ops
