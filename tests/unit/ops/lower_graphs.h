// Small graphs made by hand for the lowering tests, and what every lowering must satisfy.
//
//   GraphBuilder g({1, 4});
//   const int y = g.Node("Relu", {g.input()});
//   const ir::Network network = LowerAndCompare(g.Build(y));
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/ir/compose.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {

using Attributes = std::map<std::string, ir::Attribute>;

class GraphBuilder {
 public:
  explicit GraphBuilder(Shape input, unsigned seed = 1) : random_(seed) {
    graph_.opset = 13;
    graph_.inputs = {AddValue("x", std::move(input))};
  }

  ir::ValueId input() const { return graph_.inputs[0]; }
  void set_opset(int opset) { graph_.opset = opset; }

  ir::ValueId Constant(Tensor value) {
    const ir::ValueId id = AddValue(absl::StrCat("c", graph_.values.size()), value.shape);
    graph_.values.back().type = value.type;
    graph_.values.back().constant = std::move(value);
    return id;
  }
  ir::ValueId Doubles(Shape shape, std::vector<double> values) {
    return Constant(Tensor::FromDoubles(std::move(shape), std::move(values)));
  }
  ir::ValueId Ints(std::vector<int64_t> values) {
    const auto n = static_cast<int64_t>(values.size());
    return Constant(Tensor::FromInts({n}, std::move(values)));
  }
  // Random entries become multiples of 1/256, so that products of many of them are exact.
  void set_coarse() { coarse_ = true; }

  // Normally distributed entries.
  ir::ValueId Random(const Shape& shape) { return Doubles(shape, Sample(*ElementCount(shape))); }
  std::vector<double> Sample(int64_t count) {
    std::normal_distribution<double> normal;
    std::vector<double> values(static_cast<size_t>(count));
    for (double& v : values) v = coarse_ ? std::round(256 * normal(random_)) / 256 : normal(random_);
    return values;
  }

  ir::ValueId Node(const std::string& op, std::vector<ir::ValueId> inputs, Attributes attributes = {},
                   const std::string& domain = "") {
    return Nodes(op, std::move(inputs), 1, std::move(attributes), domain)[0];
  }
  std::vector<ir::ValueId> Nodes(const std::string& op, std::vector<ir::ValueId> inputs, int outputs,
                                 Attributes attributes = {}, const std::string& domain = "") {
    ir::GraphNode node;
    node.op = op;
    node.domain = domain;
    node.name = absl::StrCat(op, "_", graph_.nodes.size());
    node.inputs = std::move(inputs);
    node.attributes = std::move(attributes);
    for (int i = 0; i < outputs; ++i) node.outputs.push_back(AddValue(absl::StrCat(node.name, ":", i), {}));
    for (ir::ValueId id : node.outputs) graph_.values[static_cast<size_t>(id)].shape.reset();
    graph_.nodes.push_back(node);
    return node.outputs;
  }

  ir::Graph Build(ir::ValueId output) {
    graph_.outputs = {output};
    const auto unsupported = Prepare(graph_);
    EXPECT_TRUE(unsupported.ok()) << unsupported.status();
    EXPECT_TRUE(!unsupported.ok() || unsupported->empty());
    return graph_;
  }

 private:
  ir::ValueId AddValue(std::string name, Shape shape) {
    ir::GraphValue value;
    value.name = std::move(name);
    value.type = ElementType::kFloat64;
    value.shape = std::move(shape);
    graph_.values.push_back(std::move(value));
    return static_cast<ir::ValueId>(graph_.values.size()) - 1;
  }

  ir::Graph graph_;
  std::mt19937 random_;
  bool coarse_ = false;
};

// Largest difference between the network's output and the graph's on random inputs, relative to the largest
// output.
inline double LargestError(const ir::Graph& graph, const ir::Network& network, int samples,
                           unsigned seed = 7) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  double error = 0;
  for (int s = 0; s < samples; ++s) {
    std::vector<double> x(static_cast<size_t>(network.input_size())), stored(x.size());
    for (double& v : x) v = normal(random);
    for (size_t i = 0; i < x.size(); ++i) stored[i] = x[static_cast<size_t>(network.input_order[i])];
    const auto expected = EvaluateFlat(graph, x, Precision::kFloat64);
    EXPECT_TRUE(expected.ok()) << expected.status();
    if (!expected.ok()) return std::nan("");
    const std::vector<double> actual =
        ir::EvaluateNodes(network, stored)[static_cast<size_t>(network.output)];
    EXPECT_EQ(actual.size(), expected->size());
    double scale = 1;
    for (double v : *expected) scale = std::max(scale, std::fabs(v));
    for (size_t i = 0; i < actual.size(); ++i)
      error = std::max(error, std::fabs(actual[i] - (*expected)[i]) / scale);
  }
  return error;
}

inline ir::Network LowerAndCompare(const ir::Graph& graph, int samples = 5) {
  auto network = Lower(graph);
  EXPECT_TRUE(network.ok()) << network.status();
  if (!network.ok()) return {};
  EXPECT_TRUE(ir::CheckNetwork(*network).ok()) << ir::CheckNetwork(*network);
  EXPECT_LE(LargestError(graph, *network, samples), 1e-9);
  return *std::move(network);
}

inline std::string MapName(const ir::LinearMap& map) {
  static constexpr const char* kNames[] = {"identity", "scale", "dense", "conv", "sparse"};
  if (const auto* conv = std::get_if<ir::ConvMap>(&map); conv && conv->transposed) return "convT";
  return kNames[map.index()];
}

// One word per node, for expectations: "input", "hinge(1)", "affine(0:conv)", "affine(1:conv,2:identity)".
inline std::vector<std::string> Outline(const ir::Network& network) {
  std::vector<std::string> out;
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind == ir::NodeKind::kInput) out.push_back("input");
    if (node.kind == ir::NodeKind::kActivation) out.push_back(absl::StrCat("hinge(", node.predecessor, ")"));
    if (node.kind != ir::NodeKind::kAffine) continue;
    std::string terms;
    for (const ir::AffineTerm& term : node.terms) {
      absl::StrAppend(&terms, terms.empty() ? "" : ",", term.predecessor, ":", MapName(*term.map));
    }
    out.push_back(absl::StrCat("affine(", terms, ")"));
  }
  return out;
}

}  // namespace espalier::ops
