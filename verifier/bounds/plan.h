// Plan: what bounding needs of a network apart from any box: maps prepared for the backend, biases on the
// device, and which nodes are activations.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto plan, Plan::Make(network, *backend));
//
// Lives as long as the backend and the network it was made from; immutable. Not thread-safe through its
// backend.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/ir/network.h"

namespace espalier::bounds {

template <class T>
struct DeviceNode {
  backend::Buffer<T> bias;                    // affine
  backend::Buffer<T> left, right, intercept;  // activation
};

struct PlanTerm {
  ir::NodeId predecessor = 0;
  std::shared_ptr<const backend::PreparedMap> map, absolute;
};

struct PlanNode {
  ir::NodeKind kind = ir::NodeKind::kInput;
  int64_t size = 0;
  ir::NodeId predecessor = -1;  // activation
  int activation = -1;          // index into Plan::activations()
  bool has_bias = false;        // any non-zero bias
  bool has_intercept = false;   // any non-zero hinge intercept
  int consumers = 0;
  int64_t longest_sum = 1;           // over the terms
  int64_t longest_backward_sum = 1;  // the same of backward products alone
  int64_t fan_in = 0;  // most consumers that add into one of its predecessors (or their pre-activations)
  std::vector<PlanTerm> terms;
  DeviceNode<float> f32;
  DeviceNode<double> f64;

  template <class T>
  const DeviceNode<T>& device() const {
    if constexpr (std::is_same_v<T, float>) {
      return f32;
    } else {
      return f64;
    }
  }
};

class Plan {
 public:
  static absl::StatusOr<std::unique_ptr<Plan>> Make(const ir::Network& network, backend::Backend& backend);

  const ir::Network& network() const { return *network_; }
  backend::Backend& backend() const { return *backend_; }
  const std::vector<PlanNode>& nodes() const { return nodes_; }
  const PlanNode& node(ir::NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  // Node ids of the activation layers, in topological order.
  const std::vector<ir::NodeId>& activations() const { return activations_; }
  const ir::HingeLayer& hinge(int activation) const {
    return network_->nodes[static_cast<size_t>(activations_[static_cast<size_t>(activation)])].hinge;
  }
  // Neurons of all activation layers in order: how many, and where those of one layer begin.
  int64_t activation_neurons() const { return activation_neurons_; }
  int64_t activation_begin(int activation) const {
    return activation_begin_[static_cast<size_t>(activation)];
  }
  int64_t largest_node() const { return largest_node_; }
  int64_t total_neurons() const { return total_neurons_; }  // of all nodes
  // Multiply-adds of one backward pass of one row from the output, times two.
  double flops_per_pass() const { return flops_until_.back(); }
  // The same from the node back to the input (an upper estimate where branches join).
  double flops_until(ir::NodeId id) const { return flops_until_[static_cast<size_t>(id)]; }

 private:
  Plan() = default;
  const ir::Network* network_ = nullptr;
  backend::Backend* backend_ = nullptr;
  std::vector<PlanNode> nodes_;
  std::vector<ir::NodeId> activations_;
  std::vector<int64_t> activation_begin_;
  int64_t activation_neurons_ = 0;
  int64_t largest_node_ = 0;
  int64_t total_neurons_ = 0;
  std::vector<double> flops_until_;
};

// Host vector -> device buffer of T.
template <class T>
absl::StatusOr<backend::Buffer<T>> ToDevice(backend::Backend& backend, const std::vector<T>& values);

}  // namespace espalier::bounds
