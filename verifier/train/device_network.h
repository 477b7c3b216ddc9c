// A network whose weights, biases and lines are on the device and can be trained: forward, gradients, steps.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto net, DeviceNetwork::Make(network, *backend, /*rows=*/128));
//   net->Forward(rows, x);                              // x [rows][inputs], stored order, device
//   net->Backward(rows, gradient, {.weights = true});   // d(mean loss)/d(logits), [rows][outputs], device
//   net->Descend(rates);                                // one step of every parameter
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
  // `rows`: the largest batch. UNIMPLEMENTED for a network without a dense map or convolution.
  static absl::StatusOr<std::unique_ptr<DeviceNetwork>> Make(const ir::Network& network,
                                                             backend::Backend& backend, int64_t rows);
  ~DeviceNetwork();

  int64_t classes() const;
  // Logits of the last Forward, [rows][classes], device.
  const float* logits() const;
  // Gradient of the input after Backward with Wanted::input, [rows][inputs], device.
  const float* input_gradient() const;

  void Forward(int64_t rows, const float* x);
  // Gradients of parameters are sums over the rows: the caller's logit gradient carries the 1/rows. It is
  // overwritten.
  void Backward(int64_t rows, float* logit_gradient, const Wanted& wanted);
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
