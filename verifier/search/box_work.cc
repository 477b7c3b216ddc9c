#include "verifier/search/box_work.h"

#include <algorithm>

namespace espalier::search {

double BoxFlops(const bounds::Plan& plan) {
  double flops = 0;
  for (ir::NodeId id : plan.activations()) {
    const bounds::PlanNode& node = plan.node(id);
    flops += 2.0 * static_cast<double>(node.size) * plan.flops_until(node.predecessor);
  }
  return flops;
}

int64_t MostFreeInputs(const Problem& problem) {
  int64_t free = 0;
  for (const Target& target : problem.targets) free = std::max(free, problem.FreeInputs(target.box));
  return free;
}

}  // namespace espalier::search
