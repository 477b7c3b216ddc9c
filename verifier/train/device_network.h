// A network whose weights, biases and lines are on the device and can be trained: forward, gradients, steps.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto net, DeviceNetwork::Make(network, *backend, /*rows=*/128));
//   net->Forward(rows, x);                              // x [rows][inputs], stored order, device
//   net->Backward(rows, gradient, {.weights = true});   // d(mean loss)/d(logits), [rows][outputs], device
//   net->Descend(rates);                                // one step of every parameter
//
// or, for boxes around the points (Gowal et al. 2018), made with boxes = true:
//
//   net->ForwardBox(rows, x, radius, label);            // logits(): the worst ones for the label
//   net->BackwardBox(rows, gradient, label);            // of parameters; gradient: of the worst logits
//
//   ir::Network trained = net->ToNetwork();
//
// Trained are the coefficients of dense maps and convolutions, the biases of their nodes, and the slope and
// intercept of every grafted neuron (left == right, not a plain identity). A convolution's node has one step
// of the bias per channel, even where folding made its biases differ at the border. Scales, permutations and
// hinges with a kink stay as they are. Errors of the device are sticky: see Backend::Synchronise. Not
// thread-safe; one at a time on its backend.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/training.h"
#include "verifier/ir/network.h"

namespace espalier::train {

struct Wanted {
  bool weights = true;  // gradients of parameters
  bool input = false;   // gradient of the input
  bool boxes = false;   // of the boxes' radii too: BackwardBox's own
};

struct StepRates {
  backend::DescentStep weights;  // biases too
  backend::DescentStep lines;
};

// One trained array, for checkpoints: where it stands and its values and velocities.
struct ParameterState {
  std::string name;  // "n3.t0.weight", "n3.bias", "n4.slope", "n4.intercept"
  std::vector<float> value, velocity;
};

class DeviceNetwork {
 public:
  // `rows`: the largest batch; `boxes`: whether ForwardBox will be called (twice the memory). UNIMPLEMENTED
  // for a network without a dense map or convolution.
  static absl::StatusOr<std::unique_ptr<DeviceNetwork>> Make(const ir::Network& network,
                                                             backend::Backend& backend, int64_t rows,
                                                             bool boxes = false);
  ~DeviceNetwork();

  int64_t classes() const;
  // Logits of the last Forward, worst logits of the last ForwardBox, [rows][classes], device.
  const float* logits() const;
  // Gradient of the input after Backward with Wanted::input, [rows][inputs], device.
  const float* input_gradient() const;

  void Forward(int64_t rows, const float* x);
  // Gradients of parameters are sums over the rows: the caller's logit gradient carries the 1/rows. It is
  // overwritten.
  void Backward(int64_t rows, float* logit_gradient, const Wanted& wanted);
  // Interval bounds of the logits over the boxes of `radius` around x, which are not cut to the inputs'
  // range: the label's lower bound, the others' upper bounds. `label` [rows] is on the device.
  void ForwardBox(int64_t rows, const float* x, float radius, const int32_t* label);
  // Gradients of parameters from that of the worst logits, as Backward. Overwrites logit_gradient.
  void BackwardBox(int64_t rows, float* logit_gradient, const int32_t* label);
  void Descend(const StepRates& rates);

  ir::Network ToNetwork() const;
  std::vector<ParameterState> State() const;
  absl::Status Restore(const std::vector<ParameterState>& state);  // INVALID_ARGUMENT: another network's

 private:
  struct Impl;
  explicit DeviceNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace espalier::train
