#include "verifier/ops/fold.h"

#include <cstddef>
#include <utility>

#include "verifier/ops/fold_passes.h"

namespace espalier::ops {
namespace {

size_t At(ir::NodeId id) {
  return static_cast<size_t>(id);
}

// Whether the node hands on its single affine predecessor unchanged.
bool IsAlias(const ir::Network& network, const ir::NetworkNode& node) {
  if (node.kind != ir::NodeKind::kAffine || node.terms.size() != 1) return false;
  if (!std::holds_alternative<ir::IdentityMap>(*node.terms[0].map)) return false;
  for (double b : node.bias) {
    if (b != 0) return false;
  }
  return network.nodes[At(node.terms[0].predecessor)].kind == ir::NodeKind::kAffine;
}

// Activations read the value itself where their argument is only an alias of it.
void BypassAliases(ir::Network& network) {
  for (ir::NetworkNode& node : network.nodes) {
    if (node.kind != ir::NodeKind::kActivation) continue;
    const ir::NetworkNode& argument = network.nodes[At(node.predecessor)];
    if (IsAlias(network, argument)) node.predecessor = argument.terms[0].predecessor;
  }
}

}  // namespace

void RemoveDeadNodes(ir::Network& network) {
  std::vector<bool> alive(network.nodes.size(), false);
  alive[0] = alive[At(network.output)] = true;
  for (size_t i = network.nodes.size(); i-- > 0;) {
    if (!alive[i]) continue;
    const ir::NetworkNode& node = network.nodes[i];
    if (node.kind == ir::NodeKind::kActivation) alive[At(node.predecessor)] = true;
    for (const ir::AffineTerm& term : node.terms) alive[At(term.predecessor)] = true;
  }
  std::vector<ir::NodeId> renumbered(network.nodes.size(), -1);
  std::vector<ir::NetworkNode> kept;
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    if (!alive[i]) continue;
    renumbered[i] = static_cast<ir::NodeId>(kept.size());
    ir::NetworkNode& node = network.nodes[i];
    if (node.kind == ir::NodeKind::kActivation) node.predecessor = renumbered[At(node.predecessor)];
    for (ir::AffineTerm& term : node.terms) term.predecessor = renumbered[At(term.predecessor)];
    kept.push_back(std::move(node));
  }
  network.output = renumbered[At(network.output)];
  network.nodes = std::move(kept);
}

void Fold(ir::Network& network, const FoldSettings& settings) {
  RemoveDeadNodes(network);
  AbsorbInputPermutation(network);
  size_t before = 0;
  do {
    before = network.nodes.size();
    FoldElementwise(network);
    RemoveDeadNodes(network);
    FoldAffine(network, settings);
    BypassAliases(network);
    RemoveDeadNodes(network);
  } while (network.nodes.size() < before);
  PruneNeurons(network);
  for (ir::NetworkNode& node : network.nodes) node.bias_residual = {};
}

}  // namespace espalier::ops
