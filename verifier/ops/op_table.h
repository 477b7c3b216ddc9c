// The operator table: one row per operator. To support a new operator, write its functions in one file of
// this folder and add its row to the table in op_table.cc; nothing else in the project changes.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "verifier/base/tensor.h"
#include "verifier/ir/graph.h"

namespace espalier::ops {

// Defaults of float attributes are float32 numbers, like the attributes themselves.
inline constexpr double kDefaultLeakySlope = 0.01F;  // LeakyRelu: alpha
inline constexpr double kDefaultEpsilon = 1e-5F;     // BatchNormalization: epsilon

// What an operator's functions may read: attributes with defaults, opset, inputs. Independent of protobuf.
class OpContext {
 public:
  // `widened`: the evaluation carries every float32 value as float64 (Precision::kFloat64).
  OpContext(const ir::Graph& graph, const ir::GraphNode& node, bool widened = false)
      : graph_(graph), node_(node), widened_(widened) {}

  const ir::GraphNode& node() const { return node_; }
  const ir::Graph& graph() const { return graph_; }
  int opset() const { return graph_.opset; }
  bool widened() const { return widened_; }

  // Attribute access; INVALID_ARGUMENT naming node and attribute when the type is wrong.
  absl::StatusOr<int64_t> Int(std::string_view name, int64_t fallback) const;
  absl::StatusOr<double> Float(std::string_view name, double fallback) const;
  absl::StatusOr<std::string> String(std::string_view name, std::string fallback) const;
  absl::StatusOr<std::vector<int64_t>> Ints(std::string_view name, std::vector<int64_t> fallback) const;
  bool Has(std::string_view name) const;

  int input_count() const { return static_cast<int>(node_.inputs.size()); }
  bool HasInput(int i) const;
  // The constant value of input i, or nullptr when it is not a constant (or absent).
  const Tensor* Constant(int i) const;
  // Inferred shape of input i; must be known.
  const Shape& InputShape(int i) const;
  ElementType InputType(int i) const;
  absl::Status Invalid(std::string_view what) const;      // INVALID_ARGUMENT "node 'n' (Op): what"
  absl::Status Unsupported(std::string_view what) const;  // UNIMPLEMENTED, same form

 private:
  const ir::Graph& graph_;
  const ir::GraphNode& node_;
  bool widened_;
};

// Computes all outputs from all inputs (absent optional inputs are nullptr). Element types of the inputs
// decide the arithmetic: float tensors compute in float, double tensors in double. Also used for constant
// folding and shape inference by evaluation. Operators that only move elements (Reshape, Transpose, Slice,
// Gather, Pad, Concat, nearest Resize, ...) accept every element type, so running one on a tensor of element
// indices yields its index map.
using EvaluateFn = absl::StatusOr<std::vector<Tensor>> (*)(const OpContext&, absl::Span<const Tensor* const>);

struct OutputInfo {
  ElementType type;
  Shape shape;
};
// Shapes and types of the outputs. UNIMPLEMENTED with the reason when this use of the operator is not
// supported.
using InferFn = absl::StatusOr<std::vector<OutputInfo>> (*)(const OpContext&);

class Lowering;  // lowering.h
// Emits network nodes for this graph node. UNIMPLEMENTED with the reason when it cannot. nullptr: evaluation
// only.
using LowerFn = absl::Status (*)(const OpContext&, Lowering&);

struct OpRow {
  std::string_view op;
  std::string_view domain;  // "" standard; "*" any other domain
  int min_inputs, max_inputs;
  InferFn infer;
  EvaluateFn evaluate;
  LowerFn lower;
};

// The row for a node, or nullptr.
const OpRow* FindOp(std::string_view op, std::string_view domain);
absl::Span<const OpRow> AllOps();

}  // namespace espalier::ops
