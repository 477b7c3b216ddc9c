#include "verifier/bounds/interval.h"

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {

using backend::Allocate;
using backend::Buffer;

absl::Status IntervalPass::Upload(const LayerBox& box, Interval& interval) {
  ESPALIER_ASSIGN_OR_RETURN(interval.lower, ToDevice<double>(plan_.backend(), box.lower));
  ESPALIER_ASSIGN_OR_RETURN(interval.upper, ToDevice<double>(plan_.backend(), box.upper));
  return absl::OkStatus();
}

absl::Status IntervalPass::Start(const std::vector<double>& lower, const std::vector<double>& upper,
                                 int64_t domains) {
  domains_ = domains;
  nodes_.clear();
  nodes_.resize(plan_.nodes().size());
  return Upload({lower, upper}, nodes_[0]);
}

absl::Status IntervalPass::Compute(ir::NodeId id) {
  Interval& target = nodes_[static_cast<size_t>(id)];
  if (target.lower.data() != nullptr) return absl::OkStatus();
  auto& backend = plan_.backend();
  auto& kernels = backend.f64();
  const PlanNode& node = plan_.node(id);
  const int64_t count = domains_ * node.size;
  ESPALIER_ASSIGN_OR_RETURN(target.lower, Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(target.upper, Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(Buffer<double> centre, Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(Buffer<double> radius, Allocate<double>(backend, count));
  kernels.Fill(count, 0.0, centre.data());
  kernels.Fill(count, 0.0, radius.data());
  // |fl(W c) - W c| <= γ |W||c|: the radius grows by γ(|c| + r) before it goes through |W|.
  const double slack =
      2 * Gamma<double>(static_cast<double>(node.longest_sum) + static_cast<double>(node.terms.size()) + 8.0);
  for (const PlanTerm& term : node.terms) {
    ESPALIER_RETURN_IF_ERROR(Compute(term.predecessor));
    const Interval& source = nodes_[static_cast<size_t>(term.predecessor)];
    const int64_t inputs = domains_ * plan_.node(term.predecessor).size;
    ESPALIER_ASSIGN_OR_RETURN(Buffer<double> c, Allocate<double>(backend, inputs));
    ESPALIER_ASSIGN_OR_RETURN(Buffer<double> r, Allocate<double>(backend, inputs));
    kernels.ToCentre(inputs, source.lower.data(), source.upper.data(), slack, c.data(), r.data());
    kernels.Forward(*term.map, domains_, c.data(), centre.data(), /*accumulate=*/true);
    kernels.Forward(*term.absolute, domains_, r.data(), radius.data(), /*accumulate=*/true);
  }
  kernels.FromCentre(domains_, node.size, {centre.data(), radius.data()}, node.f64.bias.data(), slack,
                     {target.lower.data(), target.upper.data()});
  return backend.Synchronise();
}

absl::Status IntervalPass::Node(ir::NodeId id, LayerBox& box) {
  ESPALIER_RETURN_IF_ERROR(Compute(id));
  const int64_t count = domains_ * plan_.node(id).size;
  box.lower.resize(static_cast<size_t>(count));
  box.upper.resize(static_cast<size_t>(count));
  const Interval& interval = nodes_[static_cast<size_t>(id)];
  plan_.backend().Download(interval.lower.data(), count * static_cast<int64_t>(sizeof(double)),
                           box.lower.data());
  plan_.backend().Download(interval.upper.data(), count * static_cast<int64_t>(sizeof(double)),
                           box.upper.data());
  return absl::OkStatus();
}

absl::Status IntervalPass::PreActivation(int activation, LayerBox& box) {
  return Node(plan_.node(plan_.activations()[static_cast<size_t>(activation)]).predecessor, box);
}

absl::Status IntervalPass::SetPreActivation(int activation, const LayerBox& box) {
  const ir::NodeId id = plan_.activations()[static_cast<size_t>(activation)];
  const PlanNode& node = plan_.node(id);
  Interval& pre = nodes_[static_cast<size_t>(node.predecessor)];
  ESPALIER_RETURN_IF_ERROR(Upload(box, pre));
  Interval& post = nodes_[static_cast<size_t>(id)];
  ESPALIER_RETURN_IF_ERROR(Upload(box, post));
  plan_.backend().f64().HingeInterval(
      domains_, node.size, {node.f64.left.data(), node.f64.right.data(), node.f64.intercept.data()},
      Gamma<double>(8.0), {post.lower.data(), post.upper.data()});
  return plan_.backend().Synchronise();
}

}  // namespace espalier::bounds
