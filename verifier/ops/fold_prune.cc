// Hinge neurons that cannot influence the output (their columns are zero in all consumers that matter) become
// (0,0,0): nothing to relax, nothing to split.
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ops/fold_passes.h"

namespace espalier::ops {

void PruneNeurons(ir::Network& network) {
  // influence[i][j]: 1 when neuron j of node i can change the output, judged by zero coefficients only.
  std::vector<std::vector<double>> influence(network.nodes.size());
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    influence[i].assign(static_cast<size_t>(network.nodes[i].size), 0.0);
  }
  influence[static_cast<size_t>(network.output)].assign(static_cast<size_t>(network.output_size()), 1.0);
  for (size_t i = network.nodes.size(); i-- > 1;) {
    ir::NetworkNode& node = network.nodes[i];
    for (double& v : influence[i]) v = v > 0 ? 1 : 0;
    for (const ir::AffineTerm& term : node.terms) {
      ir::AbsApplyTransposed(*term.map, influence[i], influence[static_cast<size_t>(term.predecessor)]);
    }
    if (node.kind != ir::NodeKind::kActivation) continue;
    std::vector<double>& argument = influence[static_cast<size_t>(node.predecessor)];
    for (size_t j = 0; j < influence[i].size(); ++j) {
      if (influence[i][j] == 0) node.hinge.left[j] = node.hinge.right[j] = node.hinge.intercept[j] = 0;
      if (node.hinge.left[j] != 0 || node.hinge.right[j] != 0) argument[j] += influence[i][j];
    }
  }
}

}  // namespace espalier::ops
