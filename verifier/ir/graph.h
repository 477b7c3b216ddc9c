// Graph: an ONNX model as a list of nodes over values, independent of protobuf.
//
// formats/onnx_reader fills it (structure, attributes, initialisers, declared input shapes);
// ops/prepare then infers every shape, folds constants and lists what is not supported. After Prepare
// succeeded the invariants hold:
//   1. nodes are in topological order and every value has exactly one producer (a node, an initialiser or a
//      graph input);
//   2. every shape is static and positive (batch dimension bound to 1);
//   3. every floating-point constant is finite.
// Immutable after preparation; safe to share between threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "verifier/base/tensor.h"

namespace espalier::ir {

using ValueId = int;
inline constexpr ValueId kNoValue = -1;  // an optional ONNX input that was left out

using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                               std::vector<std::string>, Tensor>;

struct GraphNode {
  std::string name;    // as in the file; "<op>_<index>" when the file gives none
  std::string op;      // ONNX op_type
  std::string domain;  // "" is the ONNX standard domain
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, Attribute> attributes;
};

struct GraphValue {
  std::string name;
  ElementType type = ElementType::kFloat32;
  std::optional<Shape> shape;      // nullopt until known; dimension -1 = symbolic, bound by Prepare
  std::optional<Tensor> constant;  // initialisers and folded constants
};

struct Graph {
  std::string name;
  int opset = 0;  // of the standard domain
  std::vector<GraphNode> nodes;
  std::vector<GraphValue> values;
  std::vector<ValueId> inputs;  // without those that are initialisers
  std::vector<ValueId> outputs;
};

// One reason why a model cannot be handled; all of them are listed at once.
struct UnsupportedNode {
  std::string node;    // node name
  std::string op;      // operator, with its domain when that is not the standard one
  std::string reason;  // one sentence
};

}  // namespace espalier::ir
