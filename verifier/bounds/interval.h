// Interval propagation in float64, outward: sound for the real-valued network without further certification.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"

namespace espalier::bounds {

// Propagates boxes layer by layer; between layers the caller may tighten what was found. One object per
// batch.
//
//   IntervalPass pass(plan);
//   pass.Start(boxes_lower, boxes_upper, domains);
//   for each activation a: pass.PreActivation(a, box); tighten box; pass.SetPreActivation(a, box);
//   pass.Node(output, box)
class IntervalPass {
 public:
  explicit IntervalPass(const Plan& plan) : plan_(plan) {}

  // lower, upper: [domains][inputs].
  absl::Status Start(const std::vector<double>& lower, const std::vector<double>& upper, int64_t domains);
  // Interval of the activation's input, from everything set so far.
  absl::Status PreActivation(int activation, LayerBox& box);
  // Continues from `box` (inside what PreActivation gave) through the hinge.
  absl::Status SetPreActivation(int activation, const LayerBox& box);
  // Interval of any affine node.
  absl::Status Node(ir::NodeId id, LayerBox& box);

 private:
  struct Interval {
    backend::Buffer<double> lower, upper;
  };
  absl::Status Compute(ir::NodeId id);
  absl::Status Upload(const LayerBox& box, Interval& interval);

  const Plan& plan_;
  int64_t domains_ = 0;
  std::vector<Interval> nodes_;
};

}  // namespace espalier::bounds
