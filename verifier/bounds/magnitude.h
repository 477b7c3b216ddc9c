// How large values can be: the scale of rounding errors of a bound pass.
//
// For every node, an upper bound on the absolute values of its neurons over all boxes in question; for every
// affine node also V_i = sum_terms sum_j |W_ij| Z_j + |bias_i| with Z the predecessors' magnitudes. One
// backward step through the node then loses at most γ·sum_i |Λ_i| V_i, whatever the order of summation
// (docs/soundness.md, section 3).
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"

namespace espalier::bounds {

// Copies share what is on the device.
class Magnitudes {
 public:
  // For all nodes that only depend on activations whose bounds are known. `bounds` may hold several domains;
  // the box is the union (input_lower/upper: [inputs]).
  static absl::StatusOr<Magnitudes> Make(const Plan& plan, const std::vector<double>& input_lower,
                                         const std::vector<double>& input_upper,
                                         const std::vector<LayerBox>& bounds);

  // Adds what became known with activation `a` (all earlier ones must be known).
  absl::Status Extend(const Plan& plan, const std::vector<LayerBox>& bounds);

  // Device vector V of an affine node (T rounded up), or nullptr when not known.
  template <class T>
  const T* affine(ir::NodeId node) const {
    if constexpr (std::is_same_v<T, float>) {
      return DataOf(f32_[static_cast<size_t>(node)]);
    } else {
      return DataOf(f64_[static_cast<size_t>(node)]);
    }
  }
  const std::vector<double>& host(ir::NodeId node) const { return host_[static_cast<size_t>(node)]; }
  // Sum of all V and all magnitudes known: scale of the underflow term.
  double total() const { return total_; }

 private:
  template <class T>
  using Shared = std::shared_ptr<const backend::Buffer<T>>;
  template <class T>
  static const T* DataOf(const Shared<T>& buffer) {
    return buffer == nullptr ? nullptr : buffer->data();
  }
  absl::Status AddAffine(const Plan& plan, ir::NodeId id);

  std::vector<std::vector<double>> host_;  // per node
  std::vector<Shared<float>> f32_;
  std::vector<Shared<double>> f64_;
  double total_ = 0;
};

}  // namespace espalier::bounds
