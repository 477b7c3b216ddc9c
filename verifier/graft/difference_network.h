// Two networks side by side over one input, and the pieces of algebra that their difference needs.
//
//   ESPALIER_ASSIGN_OR_RETURN(JoinedNetwork joined, JoinNetworks(base, other));
//   EvaluateNodes(joined.network, x)[joined.network.output]   // other(x) - base(x), x in base's stored order
//
// Nodes of `other` that compute exactly what a node of `base` computes (same maps, biases and hinges on the
// same predecessors) are shared, so that what both networks have in common cancels.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

struct JoinedNetwork {
  ir::Network network;
  std::vector<ir::NodeId> base, other;  // node of the joined network of each node of the two; output: -1
};

// INVALID_ARGUMENT when inputs or outputs do not fit.
absl::StatusOr<JoinedNetwork> JoinNetworks(const ir::Network& base, const ir::Network& other);

// Bit by bit the same coefficients in the same form.
bool SameMap(const ir::LinearMap& a, const ir::LinearMap& b);
bool SameHinge(const ir::HingeLayer& a, const ir::HingeLayer& b);
// Both maps are the real ones and the same: other x - base x is 0, not only nearly.
bool TermsCancel(const ir::AffineTerm& base, const ir::AffineTerm& other);

// Terms on `predecessor` that add up to (other - base) x: none, one with the difference of the coefficients,
// or two where the difference of rounded coefficients would be too far from the real one.
std::vector<ir::AffineTerm> TermDifference(const ir::AffineTerm& base, const ir::AffineTerm& other,
                                           ir::NodeId predecessor);

// Sets node.bias to other's less base's. Where folding rounded one of them, base's goes to a constant node of
// its own that is appended to `nodes`, so that the rounding allowance counts both biases in full.
void SetBiasDifference(const ir::NetworkNode& base, const ir::NetworkNode& other,
                       std::vector<ir::NetworkNode>& nodes, ir::NetworkNode& node);

}  // namespace espalier::graft
