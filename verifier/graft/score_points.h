// The network at single points: pre-activations, outputs, and how a function of the outputs changes with each
// pre-activation. float32, batched.
//
//   PointPass pass(plan);
//   ESPALIER_RETURN_IF_ERROR(pass.Forward(rows, x, values));
//   ESPALIER_RETURN_IF_ERROR(pass.Backward(rows, output_gradient, gradient));
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "verifier/backend/backend.h"
#include "verifier/bounds/plan.h"

namespace espalier::graft {

// Host, [activation][rows * neurons].
using PerSample = std::vector<std::vector<float>>;

struct PointValues {
  PerSample pre_activations;
  std::vector<float> outputs;  // [rows][outputs]
};

// Derivatives by every neuron: by its value behind the activation, and by its pre-activation through its own
// activation (at 0 the right slope passes).
struct PointGradients {
  PerSample by_value, by_argument;
};

class PointPass {
 public:
  // `plan` outlives the pass.
  explicit PointPass(const bounds::Plan& plan) : plan_(plan), nodes_(plan.nodes().size()) {}

  // x: [rows][inputs], stored order.
  absl::Status Forward(int64_t rows, const std::vector<float>& x, PointValues& values);
  // At the points of the last Forward, from the derivatives by the outputs. Overwrites the activations'
  // values.
  absl::Status Backward(int64_t rows, const std::vector<float>& output_gradient, PointGradients& gradients);

 private:
  struct Node {
    backend::Buffer<float> values, slopes, gradient;
    bool reached = false;  // by the backward pass
  };
  absl::Status Reserve(int64_t rows);
  void BackwardNode(int64_t rows, ir::NodeId id);

  const bounds::Plan& plan_;
  std::vector<Node> nodes_;
  int64_t reserved_rows_ = 0;
};

// softmax(outputs) - one-hot(label): the derivative of each row's cross entropy. [rows][classes]
std::vector<float> CrossEntropyGradient(const std::vector<float>& outputs,
                                        const std::vector<int32_t>& labels);

}  // namespace espalier::graft
