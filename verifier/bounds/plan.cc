#include "verifier/bounds/plan.h"

#include <algorithm>

#include "verifier/base/status.h"

namespace espalier::bounds {
namespace {

bool AnyNonZero(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return v != 0; });
}

template <class T>
absl::StatusOr<backend::Buffer<T>> Convert(backend::Backend& backend, const std::vector<double>& values) {
  return ToDevice<T>(backend, std::vector<T>(values.begin(), values.end()));
}

template <class T>
absl::Status Upload(backend::Backend& backend, const ir::NetworkNode& source, DeviceNode<T>& target) {
  if (source.kind == ir::NodeKind::kAffine) {
    ESPALIER_ASSIGN_OR_RETURN(target.bias, Convert<T>(backend, source.bias));
  } else if (source.kind == ir::NodeKind::kActivation) {
    ESPALIER_ASSIGN_OR_RETURN(target.left, Convert<T>(backend, source.hinge.left));
    ESPALIER_ASSIGN_OR_RETURN(target.right, Convert<T>(backend, source.hinge.right));
    ESPALIER_ASSIGN_OR_RETURN(target.intercept, Convert<T>(backend, source.hinge.intercept));
  }
  return absl::OkStatus();
}

double MapFlops(const ir::LinearMap& map) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) return 2.0 * static_cast<double>(m->weights.size());
  if (const auto* m = std::get_if<ir::ConvMap>(&map)) {
    return 2.0 * static_cast<double>(m->kernel.size()) * static_cast<double>(m->small_h * m->small_w);
  }
  if (const auto* m = std::get_if<ir::SparseMap>(&map)) return 2.0 * static_cast<double>(m->value.size());
  return static_cast<double>(ir::OutputSize(map));
}

// Coefficients that several consumers send to one node are added up there: each addition rounds once more.
void CountFanIn(std::vector<PlanNode>& nodes) {
  for (PlanNode& node : nodes) {
    for (const PlanTerm& term : node.terms) {
      const PlanNode& source = nodes[static_cast<size_t>(term.predecessor)];
      int64_t additions = source.consumers;
      if (source.kind == ir::NodeKind::kActivation)
        additions += nodes[static_cast<size_t>(source.predecessor)].consumers;
      node.fan_in = std::max(node.fan_in, additions);
    }
  }
}

}  // namespace

template <class T>
absl::StatusOr<backend::Buffer<T>> ToDevice(backend::Backend& backend, const std::vector<T>& values) {
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<T> buffer,
                            backend::Allocate<T>(backend, static_cast<int64_t>(values.size())));
  backend.Upload(values.data(), static_cast<int64_t>(values.size() * sizeof(T)), buffer.data());
  return buffer;
}
template absl::StatusOr<backend::Buffer<float>> ToDevice(backend::Backend&, const std::vector<float>&);
template absl::StatusOr<backend::Buffer<double>> ToDevice(backend::Backend&, const std::vector<double>&);
template absl::StatusOr<backend::Buffer<int32_t>> ToDevice(backend::Backend&, const std::vector<int32_t>&);

absl::StatusOr<std::unique_ptr<Plan>> Plan::Make(const ir::Network& network, backend::Backend& backend) {
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(network));
  std::unique_ptr<Plan> plan(new Plan());
  plan->network_ = &network;
  plan->backend_ = &backend;
  plan->nodes_.resize(network.nodes.size());
  double flops = 0;
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    const ir::NetworkNode& source = network.nodes[i];
    PlanNode& node = plan->nodes_[i];
    node.kind = source.kind;
    node.size = source.size;
    plan->total_neurons_ += source.size;
    plan->largest_node_ = std::max(plan->largest_node_, source.size);
    ESPALIER_RETURN_IF_ERROR(Upload(backend, source, node.f32));
    ESPALIER_RETURN_IF_ERROR(Upload(backend, source, node.f64));
    node.has_bias = AnyNonZero(source.bias);
    for (const ir::AffineTerm& term : source.terms) {
      PlanTerm prepared;
      prepared.predecessor = term.predecessor;
      ESPALIER_ASSIGN_OR_RETURN(prepared.map, backend.Prepare(term.map));
      ESPALIER_ASSIGN_OR_RETURN(prepared.absolute, backend.PrepareAbs(term.map));
      node.longest_sum = std::max(node.longest_sum, prepared.map->longest_sum());
      node.longest_backward_sum = std::max(node.longest_backward_sum, prepared.map->longest_backward_sum());
      ++plan->nodes_[static_cast<size_t>(term.predecessor)].consumers;
      node.terms.push_back(std::move(prepared));
      flops += MapFlops(*term.map);
    }
    if (source.kind == ir::NodeKind::kActivation) {
      node.predecessor = source.predecessor;
      node.has_intercept = AnyNonZero(source.hinge.intercept);
      node.activation = static_cast<int>(plan->activations_.size());
      plan->activation_begin_.push_back(plan->activation_neurons_);
      plan->activation_neurons_ += source.size;
      plan->activations_.push_back(static_cast<ir::NodeId>(i));
      ++plan->nodes_[static_cast<size_t>(source.predecessor)].consumers;
    }
    plan->flops_until_.push_back(flops);
  }
  CountFanIn(plan->nodes_);
  return plan;
}

}  // namespace espalier::bounds
