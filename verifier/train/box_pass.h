// The radii of interval bound propagation through a DeviceNetwork (Gowal et al. 2018, arXiv 1810.12715): a
// node's values are the centres of its boxes, this pass has their radii, and both have gradients.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto box, BoxPass::Make(network, backend, nodes, rows));
//   box->StartForward(rows, radius);      // then node by node, after the node's centres:
//   box->ForwardAffine(rows, id);         // radius = sum of |W| radius
//   box->StartBackward(rows, g);          // then node by node, from the last:
//   box->BackwardAffine(rows, id);        // after the centres' WeightGradient, to which it adds
//
// Used by DeviceNetwork alone, whose nodes it refers to and must not outlive. Device errors are sticky.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/train/device_node.h"

namespace espalier::train {

class BoxPass {
 public:
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<BoxPass>> Make(const ir::Network& network, backend::Backend& backend,
                                                       std::vector<DeviceNode>& nodes, int64_t rows);

  // Every input has this radius. Takes |W| of the weights as they are now.
  void StartForward(int64_t rows, float radius);
  void ForwardAffine(int64_t rows, ir::NodeId id);
  // Both the centres and the radii behind the hinges, from the centres z in front of them.
  void ForwardHinge(int64_t rows, ir::NodeId id, const float* z);

  // Radii of the network's output, [rows][outputs].
  float* output_radius() { return At(output_).radius.data(); }
  // To be written before StartBackward's pass: d(loss)/d(output_radius).
  float* output_gradient() { return At(output_).gradient.data(); }

  void StartBackward(int64_t rows);
  void BackwardAffine(int64_t rows, ir::NodeId id);
  // In place on the gradient g of the centres; adds to the lines' gradients that the centres have written.
  void BackwardHinge(int64_t rows, ir::NodeId id, const float* z, float* g);

 private:
  struct AbsoluteTerm {
    std::unique_ptr<backend::TrainableMap> trained;        // |W|, follows the node's own, or
    std::shared_ptr<const backend::PreparedMap> prepared;  // |W| of a map that stays as it is
  };
  struct Node {
    std::vector<AbsoluteTerm> terms;
    backend::Buffer<float> radius, gradient;  // [rows][size]
    backend::Buffer<float> slope, intercept;  // [size]: what the radii say about the lines
  };

  BoxPass(backend::Backend& backend, std::vector<DeviceNode>& nodes, ir::NodeId output)
      : backend_(backend), training_(backend.training()), nodes_(nodes), output_(output) {}
  absl::Status Build(const ir::Network& network, int64_t rows);
  Node& At(ir::NodeId id) { return boxes_[static_cast<size_t>(id)]; }
  DeviceNode& Centre(ir::NodeId id) { return nodes_[static_cast<size_t>(id)]; }

  backend::Backend& backend_;
  backend::Training& training_;
  std::vector<DeviceNode>& nodes_;
  ir::NodeId output_;
  std::vector<Node> boxes_;
  backend::Buffer<float> scratch_;  // [rows][largest node]
};

}  // namespace espalier::train
