// The order in which the network stores its input is free, so a permutation right behind the input costs
// nothing.
#include <optional>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"
#include "verifier/ops/fold_passes.h"
#include "verifier/ops/lowering.h"

namespace espalier::ops {

void AbsorbInputPermutation(ir::Network& network) {
  std::optional<std::vector<int64_t>> source;
  ir::ImageShape image;
  for (const ir::NetworkNode& node : network.nodes) {
    if (source || node.terms.size() != 1 || node.terms[0].predecessor != 0) continue;
    source = ir::AsPermutation(*node.terms[0].map);
    image = node.image;
  }
  if (!source) return;
  // stored[i] = old[source[i]], hence old = inverse(stored).
  std::vector<int64_t> inverse(source->size()), order(source->size());
  for (size_t i = 0; i < source->size(); ++i) {
    inverse[static_cast<size_t>((*source)[i])] = static_cast<int64_t>(i);
    order[i] = network.input_order[static_cast<size_t>((*source)[i])];
  }
  const ir::LinearMap reorder = ir::GatherMap(inverse, network.input_size());
  std::vector<std::pair<ir::AffineTerm*, ir::LinearMapPtr>> changes;
  for (ir::NetworkNode& node : network.nodes) {
    for (ir::AffineTerm& term : node.terms) {
      if (term.predecessor != 0) continue;
      auto map = ir::Compose(*term.map, reorder);
      if (!map) return;
      changes.emplace_back(&term, MakeMap(*std::move(map)));
    }
  }
  for (auto& [term, map] : changes) term->map = std::move(map);
  network.input_order = std::move(order);
  network.nodes[0].image = image;
}

}  // namespace espalier::ops
