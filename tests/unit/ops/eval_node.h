// One node as a whole graph, for the operators' tests.
//
//   EXPECT_THAT(Floats(RunNode("Relu", {}, {Vector({-1, 2})})), ElementsAre(0, 2));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {

using Attributes = std::map<std::string, ir::Attribute>;

struct NodeSetup {
  int opset = 13;
  size_t free_inputs = 1;  // how many leading operands are graph inputs; the rest are constants
  size_t outputs = 1;
  std::string domain = "";
};

// An operand without elements and shape {-1} stands for one that is left out.
inline Tensor Absent() {
  return Tensor::FromFloats({-1}, {});
}
inline Tensor Vector(std::vector<float> values) {
  const auto size = static_cast<int64_t>(values.size());
  return Tensor::FromFloats({size}, std::move(values));
}
inline Tensor Integers(std::vector<int64_t> values) {
  const auto size = static_cast<int64_t>(values.size());
  return Tensor::FromInts({size}, std::move(values));
}
inline std::vector<float> Counting(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return values;
}

inline ir::Graph GraphOfNode(const std::string& op, const Attributes& attributes,
                             const std::vector<Tensor>& operands, const NodeSetup& setup) {
  ir::Graph graph;
  graph.opset = setup.opset;
  ir::GraphNode node{"n", op, setup.domain, {}, {}, attributes};
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].shape == Shape{-1}) {
      node.inputs.push_back(ir::kNoValue);
      continue;
    }
    const auto id = static_cast<ir::ValueId>(graph.values.size());
    node.inputs.push_back(id);
    graph.values.push_back({absl::StrCat("x", i), operands[i].type, operands[i].shape, std::nullopt});
    if (i < setup.free_inputs) {
      graph.inputs.push_back(id);
    } else {
      graph.values.back().constant = operands[i];
    }
  }
  for (size_t i = 0; i < setup.outputs; ++i) {
    node.outputs.push_back(static_cast<ir::ValueId>(graph.values.size()));
    graph.outputs.push_back(node.outputs.back());
    graph.values.push_back({absl::StrCat("y", i), ElementType::kFloat32, std::nullopt, std::nullopt});
  }
  graph.nodes.push_back(std::move(node));
  return graph;
}

// Prepares and evaluates; a refused node comes back as UNIMPLEMENTED with its reason.
inline absl::StatusOr<std::vector<Tensor>> RunOutputs(const std::string& op, const Attributes& attributes,
                                                      const std::vector<Tensor>& operands,
                                                      const NodeSetup& setup = {},
                                                      Precision precision = Precision::kModel) {
  ir::Graph graph = GraphOfNode(op, attributes, operands, setup);
  const auto unsupported = Prepare(graph);
  if (!unsupported.ok()) return unsupported.status();
  if (!unsupported->empty()) return absl::UnimplementedError(unsupported->front().reason);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < operands.size() && i < setup.free_inputs; ++i) inputs.push_back(operands[i]);
  return Evaluate(graph, inputs, precision);
}

inline absl::StatusOr<Tensor> RunNode(const std::string& op, const Attributes& attributes,
                                      const std::vector<Tensor>& operands, const NodeSetup& setup = {},
                                      Precision precision = Precision::kModel) {
  auto outputs = RunOutputs(op, attributes, operands, setup, precision);
  if (!outputs.ok()) return outputs.status();
  return std::move(outputs->front());
}

// The elements as doubles; empty (and a failure) when the node did not run.
inline std::vector<double> Numbers(const absl::StatusOr<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return tensor.ok() ? tensor->ToDoubles() : std::vector<double>{};
}

}  // namespace espalier::ops
