// A network whose weights, biases and lines are on the device and can be trained: forward, gradients, steps.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto net, DeviceNetwork::Make(network, *backend, /*rows=*/128));
//   net->Forward(rows, x);                       // x [rows][inputs], stored order, device
//   net->Backward(rows, gradient, {.weights = true});   // d(loss)/d(logits), [rows][outputs]
//   net->Descend(step);                          // one step of every parameter
//   ir::Network trained = net->ToNetwork();
//
// Trained are the coefficients of dense maps and convolutions, the biases of their nodes (one per channel
// where the network has one per channel), and the slope and intercept of every grafted neuron (left == right,
// not a plain identity). Scales, permutations and hinges with a kink stay as they are. Not thread-safe; one
// at a time on its backend.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/training.h"
#include "verifier/ir/network.h"

namespace espalier::train {

struct Wanted {
  bool weights = true;  // gradients of parameters
  bool input = false;   // gradient of the input
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
  // `rows`: the largest batch. UNIMPLEMENTED for a network that cannot be trained (no dense map or
  // convolution).
  static absl::StatusOr<std::unique_ptr<DeviceNetwork>> Make(const ir::Network& network,
                                                             backend::Backend& backend, int64_t rows);
  ~DeviceNetwork();

  int64_t input_size() const;
  int64_t classes() const;
  // Logits of the last Forward, [rows][classes], device.
  const float* logits() const;
  // Gradient of the input after Backward with Wanted::input, [rows][inputs], device.
  const float* input_gradient() const;

  void Forward(int64_t rows, const float* x);
  // Gradients of parameters are sums over the rows divided by `rows`.
  void Backward(int64_t rows, const float* logit_gradient, const Wanted& wanted);
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
