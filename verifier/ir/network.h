// Network: what the bound engine sees. An immutable DAG of affine nodes and activation nodes over flat neuron
// vectors; every operator of the ONNX model has been turned into one of these.
//
// Invariants (CheckNetwork verifies them):
//   1. nodes[0] is the input; nodes are in topological order (predecessors have smaller indices);
//   2. an activation's only predecessor is an affine node; the output node is affine (an identity is appended
//      where the model ends otherwise);
//   3. an affine node is the sum of its terms plus bias; every term's map goes from its predecessor's size to
//      the node's size;
//   4. all coefficients are finite;
//   5. image-shaped nodes (image.c > 0) are stored channels-last (h, w, c) and size == h*w*c.
// The input keeps its own order: stored input neuron i is element input_order[i] of the ONNX input flattened
// row-major (input_order is a permutation). The output is in ONNX order.
//
// A graft is data, not an operator: a Hinge neuron with left == right is linear whatever its bounds are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "verifier/ir/linear_map.h"

namespace espalier::ir {

using NodeId = int;

enum class NodeKind { kInput, kAffine, kActivation };

// f(x) = intercept + (x < 0 ? left : right) * x, per neuron. ReLU (0,1,0), leaky (s,1,0), |x| (-1,1,0),
// identity (1,1,0), graft (a,a,b), pruned (0,0,0).
struct HingeLayer {
  std::vector<double> left, right, intercept;
  double roundings = 0;  // as AffineTerm's, for slopes and intercepts
};

struct AffineTerm {
  NodeId predecessor = 0;
  LinearMapPtr map;
  // Every coefficient is within roundings * 2^-53, relative to itself, of the real one that folding replaced;
  // at most kMaxRoundings (exact_sum.h).
  double roundings = 0;
};

struct ImageShape {
  int64_t h = 0, w = 0, c = 0;  // c == 0: not image-shaped
};

struct NetworkNode {
  NodeKind kind = NodeKind::kInput;
  std::string name;  // the ONNX value this node computes
  int64_t size = 0;
  ImageShape image;
  // kAffine
  std::vector<AffineTerm> terms;
  std::vector<double> bias;
  // While folding only: what `bias` leaves of the exact sum (empty: nothing), and how far bias +
  // bias_residual is from the real one, as AffineTerm's roundings.
  std::vector<double> bias_residual;
  double bias_roundings = 0;
  // kActivation
  NodeId predecessor = -1;
  HingeLayer hinge;
};

struct Network {
  std::vector<NetworkNode> nodes;
  NodeId output = 0;
  std::vector<int64_t> input_order;

  int64_t input_size() const { return nodes.front().size; }
  int64_t output_size() const { return nodes[static_cast<size_t>(output)].size; }
};

// Verifies the invariants above; INTERNAL with the node's name otherwise.
absl::Status CheckNetwork(const Network& network);

// Forward evaluation in double by plain loops. `input` is in stored order (see input_order). Returns the
// value of every node. For tests, folding and bound checks, not for speed.
std::vector<std::vector<double>> EvaluateNodes(const Network& network, const std::vector<double>& input);

// Neurons with left != right: what is left to relax and split.
int64_t CountHinges(const HingeLayer& layer);

// Neurons with left == right that came from a graft: neither the identity (1,1,0) nor zero.
int64_t CountGrafted(const HingeLayer& layer);

}  // namespace espalier::ir
