#include "verifier/bounds/relaxation.h"

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

// -1: linear on the left branch, +1: on the right one, 0: unstable or unknown (NaN). Linear neurons count as
// +1.
int Side(double left, double right, double lower, double upper) {
  if (left == right || lower >= 0) return 1;
  return upper <= 0 ? -1 : 0;
}

// The common side of neuron i over all domains, 0 when they differ.
int CommonSide(const ir::HingeLayer& hinge, const LayerBox& box, int64_t domains, size_t n, size_t i) {
  const int side = Side(hinge.left[i], hinge.right[i], box.lower[i], box.upper[i]);
  for (size_t d = 1; d < static_cast<size_t>(domains) && side != 0; ++d) {
    if (Side(hinge.left[i], hinge.right[i], box.lower[d * n + i], box.upper[d * n + i]) != side) return 0;
  }
  return side;
}

}  // namespace

template <class T>
absl::Status Relaxation<T>::BuildStatic(const Plan& plan, int activation, const LayerBox& box,
                                        int64_t domains, Layer& layer) {
  const ir::HingeLayer& hinge = plan.hinge(activation);
  const size_t n = hinge.left.size();
  std::vector<T> slope(n), convex, left, right;
  for (size_t i = 0; i < n; ++i) {
    const int side = CommonSide(hinge, box, domains, n, i);
    slope[i] = static_cast<T>(side == 0 ? 1.0 : side > 0 ? hinge.right[i] : hinge.left[i]);
    if (side != 0) continue;
    layer.host_index.push_back(static_cast<int32_t>(i));
    left.push_back(static_cast<T>(hinge.left[i]));
    right.push_back(static_cast<T>(hinge.right[i]));
    convex.push_back(hinge.left[i] < hinge.right[i] ? T(1) : T(0));
  }
  backend::Backend& backend = plan.backend();
  layer.known = true;
  layer.neurons = static_cast<int64_t>(n);
  const PlanNode& node = plan.node(plan.activations()[static_cast<size_t>(activation)]);
  layer.intercept = node.has_intercept ? node.device<T>().intercept.data() : nullptr;
  ESPALIER_ASSIGN_OR_RETURN(layer.index, ToDevice<int32_t>(backend, layer.host_index));
  ESPALIER_ASSIGN_OR_RETURN(layer.stable_slope, ToDevice<T>(backend, slope));
  ESPALIER_ASSIGN_OR_RETURN(layer.convex, ToDevice<T>(backend, convex));
  ESPALIER_ASSIGN_OR_RETURN(layer.left, ToDevice<T>(backend, left));
  ESPALIER_ASSIGN_OR_RETURN(layer.right, ToDevice<T>(backend, right));
  return absl::OkStatus();
}

template <class T>
absl::Status Relaxation<T>::SetLayer(const Plan& plan, int64_t domains, const std::vector<T>& lower,
                                     const std::vector<T>& upper, Layer& layer) {
  backend::Backend& backend = plan.backend();
  const auto unstable = static_cast<int64_t>(layer.host_index.size());
  const int64_t count = domains * unstable;
  for (backend::Buffer<T>* buffer : {&layer.lower, &layer.upper, &layer.chord_slope, &layer.chord_intercept,
                                     &layer.free_lo, &layer.free_hi, &layer.free_start}) {
    if (buffer->data() != nullptr && buffer->size() >= count) continue;
    *buffer = {};
    ESPALIER_ASSIGN_OR_RETURN(*buffer, backend::Allocate<T>(backend, count));
  }
  const auto bytes = count * static_cast<int64_t>(sizeof(T));
  backend.Upload(lower.data(), bytes, layer.lower.data());
  backend.Upload(upper.data(), bytes, layer.upper.data());
  backend::KernelsOf<T>(backend).Relax(
      domains, unstable, {layer.left.data(), layer.right.data(), layer.lower.data(), layer.upper.data()},
      {layer.chord_slope.data(), layer.chord_intercept.data(), layer.free_lo.data(), layer.free_hi.data(),
       layer.free_start.data()});
  return absl::OkStatus();
}

template <class T>
absl::Status Relaxation<T>::AddLayer(const Plan& plan, int activation, const LayerBox& box) {
  Layer& layer = layers_[static_cast<size_t>(activation)];
  layer = {};
  ESPALIER_RETURN_IF_ERROR(BuildStatic(plan, activation, box, domains_, layer));
  const auto n = static_cast<size_t>(layer.neurons);
  std::vector<T> lower, upper;
  lower.reserve(static_cast<size_t>(domains_) * layer.host_index.size());
  upper.reserve(lower.capacity());
  for (size_t d = 0; d < static_cast<size_t>(domains_); ++d) {
    for (int32_t i : layer.host_index) {
      lower.push_back(RoundDown<T>(box.lower[d * n + static_cast<size_t>(i)]));
      upper.push_back(RoundUp<T>(box.upper[d * n + static_cast<size_t>(i)]));
    }
  }
  return SetLayer(plan, domains_, lower, upper, layer);
}

template <class T>
absl::StatusOr<Relaxation<T>> Relaxation<T>::Make(const Plan& plan, const std::vector<LayerBox>& bounds,
                                                  int64_t domains) {
  Relaxation<T> relaxation;
  relaxation.domains_ = domains;
  relaxation.layers_.resize(plan.activations().size());
  for (size_t a = 0; a < bounds.size(); ++a) {
    if (bounds[a].lower.empty()) continue;
    ESPALIER_RETURN_IF_ERROR(relaxation.AddLayer(plan, static_cast<int>(a), bounds[a]));
  }
  return relaxation;
}

template <class T>
absl::Status Relaxation<T>::SetDomains(const Plan& plan, int64_t domains,
                                       const std::vector<std::vector<T>>& lower,
                                       const std::vector<std::vector<T>>& upper) {
  domains_ = domains;
  for (size_t a = 0; a < layers_.size(); ++a) {
    if (layers_[a].known) ESPALIER_RETURN_IF_ERROR(SetLayer(plan, domains, lower[a], upper[a], layers_[a]));
  }
  return absl::OkStatus();
}

template <class T>
backend::LayerLines<T> Relaxation<T>::lines(int activation) const {
  const Layer& layer = layers_[static_cast<size_t>(activation)];
  return {layer.neurons,
          static_cast<int64_t>(layer.host_index.size()),
          layer.index.data(),
          layer.stable_slope.data(),
          layer.intercept,
          layer.convex.data(),
          layer.chord_slope.data(),
          layer.chord_intercept.data(),
          layer.free_lo.data(),
          layer.free_hi.data(),
          layer.free_start.data()};
}

template class Relaxation<float>;
template class Relaxation<double>;

}  // namespace espalier::bounds
