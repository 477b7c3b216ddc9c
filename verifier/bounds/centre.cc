#include "verifier/bounds/centre.h"

#include "verifier/base/status.h"

namespace espalier::bounds {

absl::StatusOr<std::vector<std::vector<float>>> PreActivationsAtCentre(const Plan& plan,
                                                                       const InputBoxes& boxes) {
  auto& backend = plan.backend();
  auto& kernels = backend.f32();
  std::vector<float> centre;
  for (size_t i = 0; i < boxes.lower.size(); ++i)
    centre.push_back(static_cast<float>(0.5 * boxes.lower[i] + 0.5 * boxes.upper[i]));
  std::vector<backend::Buffer<float>> values(plan.nodes().size());
  ESPALIER_ASSIGN_OR_RETURN(values[0], ToDevice<float>(backend, centre));
  std::vector<std::vector<float>> result;
  // What follows the last activation is not asked for.
  const ir::NodeId last = plan.activations().empty() ? 0 : plan.activations().back();
  for (ir::NodeId id = 1; id <= last; ++id) {
    const PlanNode& node = plan.node(id);
    backend::Buffer<float>& out = values[static_cast<size_t>(id)];
    ESPALIER_ASSIGN_OR_RETURN(out, backend::Allocate<float>(backend, node.size));
    if (node.kind == ir::NodeKind::kAffine) {
      kernels.FillRows(1, node.size, node.f32.bias.data(), out.data());
      for (const PlanTerm& term : node.terms) {
        kernels.Forward(*term.map, 1, values[static_cast<size_t>(term.predecessor)].data(), out.data(),
                        /*accumulate=*/true);
      }
      continue;
    }
    const float* argument = values[static_cast<size_t>(node.predecessor)].data();
    kernels.FillRows(1, node.size, argument, out.data());
    kernels.Hinge(1, node.size, {node.f32.left.data(), node.f32.right.data(), node.f32.intercept.data()},
                  out.data(), nullptr);
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    result.emplace_back(static_cast<size_t>(node.size));
    backend.Download(argument, node.size * static_cast<int64_t>(sizeof(float)), result.back().data());
  }
  return result;
}

}  // namespace espalier::bounds
