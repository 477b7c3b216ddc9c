// One node of a DeviceNetwork: its values, gradients and trained arrays.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "verifier/ir/network.h"
#include "verifier/train/device_network.h"
#include "verifier/train/parameters.h"

namespace espalier::train {

struct DeviceTerm {
  ir::NodeId predecessor = 0;
  std::unique_ptr<backend::TrainableMap> trained;        // dense or convolution, or
  std::shared_ptr<const backend::PreparedMap> prepared;  // anything else
  backend::Buffer<float> velocity;                       // of trained->weights()
};

// Affine: y = sum of terms + fixed bias + trained bias (repeated over an image's positions).
// Activation: left, right, intercept; `mask` is 1 at the neurons whose line is trained.
struct DeviceNode {
  ir::NodeKind kind = ir::NodeKind::kInput;
  int64_t size = 0;
  int consumers = 0;
  ir::NodeId predecessor = -1;
  std::vector<DeviceTerm> terms;
  bool has_fixed_bias = false, trains_bias = false, trains_lines = false;
  backend::Buffer<float> fixed_bias;  // [size]
  Parameter bias;                     // [channels] or [size]
  Parameter left, right, intercept;
  backend::Buffer<float> mask;      // [size]
  backend::Buffer<float> value;     // [rows][size]; not of the input
  backend::Buffer<float> gradient;  // [rows][size]

  int64_t positions() const { return bias.size() > 0 ? size / bias.size() : 1; }
};

// Builds the node for batches of `rows`. RESOURCE_EXHAUSTED.
absl::StatusOr<DeviceNode> MakeDeviceNode(const ir::NetworkNode& node, backend::Backend& backend,
                                          int64_t rows);

// Calls visit(name suffix, value, velocity, size) for every trained array of the node.
template <class Visit>
void VisitParameters(const DeviceNode& node, Visit visit) {
  for (size_t t = 0; t < node.terms.size(); ++t) {
    const DeviceTerm& term = node.terms[t];
    if (term.trained == nullptr) continue;
    visit(absl::StrCat("t", t, ".weight"), term.trained->weights(), term.velocity.data(),
          term.trained->weight_count());
  }
  if (node.trains_bias) visit("bias", node.bias.value(), node.bias.velocity(), node.bias.size());
  if (!node.trains_lines) return;
  visit("slope", node.right.value(), node.right.velocity(), node.size);
  visit("left", node.left.value(), node.left.velocity(), node.size);
  visit("intercept", node.intercept.value(), node.intercept.velocity(), node.size);
}

// The host's copy of the node with what was trained.
void WriteTrained(const DeviceNode& node, backend::Backend& backend, ir::NetworkNode& target);

}  // namespace espalier::train
