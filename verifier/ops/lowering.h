// Lowering: the state of one run of ops::Lower, through which the operators' lower functions read what their
// inputs have become and emit network nodes.
//
//   absl::Status LowerNeg(const OpContext& context, Lowering& lowering) {
//     const LoweredValue x = lowering.Input(context, 0);
//     lowering.SetOutput(context, 0, lowering.AddScaled(context, x, -1.0));
//     return absl::OkStatus();
//   }
//
// Every graph value that depends on the network's input is a network node plus the order in which the node
// stores the value's elements. Operators may rely on: shapes are inferred, inputs that are constants are in
// OpContext::Constant, all others have been lowered. Not thread-safe; lives for one call of Lower.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/ir/graph.h"
#include "verifier/ir/network.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {

// The order in which a network node stores the elements of an ONNX value.
//   kRowMajor: as ONNX does. kChannelsLast: shape [1, C, spatial...] stored as [spatial..., C].
enum class Layout { kRowMajor, kChannelsLast };

struct LoweredValue {
  ir::NodeId node = -1;  // -1: not lowered
  Shape shape;           // of the ONNX value
  Layout layout = Layout::kRowMajor;
};

// Limit on the entries of one map that has no compact form: 2^27 entries take 1.5 GiB.
inline constexpr int64_t kMaxEntries = int64_t{1} << 27;

// Whether values of this shape can be stored channels-last: one image (or sequence) with a channel dimension.
bool AllowsChannelsLast(const Shape& shape);

// Stored position of every ONNX element (flattened row-major).
std::vector<int64_t> StoredPositions(const Shape& shape, Layout layout);

// For every element of `to`, the element of `from` that numpy broadcasting puts there. Requires: from
// broadcasts to to.
std::vector<int64_t> BroadcastSources(const Shape& from, const Shape& to);

// `constant` broadcast to `shape`, in stored order.
std::vector<double> StoredConstant(const Tensor& constant, const Shape& shape, Layout layout);

class Lowering {
 public:
  explicit Lowering(const ir::Graph& graph);

  // Input i of the node; must not be a constant.
  const LoweredValue& Input(const OpContext& context, int i) const;
  void SetOutput(const OpContext& context, int i, LoweredValue value);
  const Shape& OutputShape(const OpContext& context, int i) const;
  // Name for a network node that computes output i.
  std::string OutputName(const OpContext& context, int i) const;

  // A sum of terms plus bias (one entry per stored element; empty means zero). Every term's map ends in
  // `shape` stored as `layout`.
  LoweredValue AddAffine(std::string name, std::vector<ir::AffineTerm> terms, std::vector<double> bias,
                         Shape shape, Layout layout);

  // What x's bias leaves of the exact constant, one entry per stored element; see NetworkNode::bias_residual.
  void SetBiasResidual(const LoweredValue& x, std::vector<double> residual);

  // The activation of x. Hinge entries are in x's stored order. Where x is no affine node, an identity is put
  // between.
  LoweredValue AddActivation(std::string name, const LoweredValue& x, ir::HingeLayer hinge);

  // Linear map from x's stored elements to its broadcast to `shape` stored as `layout`.
  ir::LinearMap TermMap(const LoweredValue& x, const Shape& shape, Layout layout) const;

  // x's node under another shape and layout that keep its stored order.
  LoweredValue Relabel(const LoweredValue& x, const Shape& shape, Layout layout);

  // x in the wanted order: itself where the order is the same (by name or by chance), else a new permutation
  // node.
  LoweredValue InLayout(const LoweredValue& x, Layout layout);

  // Layout for an element-wise result of this shape over the given operands: channels-last as soon as one is.
  static Layout CommonLayout(const Shape& shape, const std::vector<LoweredValue>& operands);

  // The finished nodes; `output` is the graph's output value.
  absl::StatusOr<ir::Network> Finish(ir::ValueId output);

 private:
  bool FeedsWindows(ir::ValueId value) const;

  const ir::Graph& graph_;
  ir::Network network_;
  std::vector<LoweredValue> values_;  // by graph value; meaningless for constants
};

inline ir::LinearMapPtr MakeMap(ir::LinearMap map) {
  return std::make_shared<const ir::LinearMap>(std::move(map));
}

}  // namespace espalier::ops
