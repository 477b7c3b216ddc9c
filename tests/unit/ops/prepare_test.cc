#include <cmath>

#include "eval_node.h"

namespace espalier::ops {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Values are named; nodes refer to them by index.
struct Sketch {
  ir::Graph graph;

  explicit Sketch(std::optional<Shape> input_shape) {
    graph.opset = 13;
    graph.inputs = {Value("x")};
    graph.values[0].shape = std::move(input_shape);
  }
  ir::ValueId Value(const std::string& name) {
    graph.values.push_back({name, ElementType::kFloat32, std::nullopt, std::nullopt});
    return static_cast<ir::ValueId>(graph.values.size()) - 1;
  }
  ir::ValueId Constant(Tensor tensor) {
    const ir::ValueId id = Value(absl::StrCat("c", graph.values.size()));
    graph.values.back().constant = std::move(tensor);
    return id;
  }
  ir::ValueId Node(const std::string& op, std::vector<ir::ValueId> inputs, Attributes attributes = {}) {
    const ir::ValueId out = Value(absl::StrCat("v", graph.values.size()));
    graph.nodes.push_back(
        {absl::StrCat("n", graph.nodes.size()), op, "", std::move(inputs), {out}, attributes});
    graph.outputs = {out};
    return out;
  }
  const ir::GraphValue& operator[](ir::ValueId id) const { return graph.values[static_cast<size_t>(id)]; }
};

TEST(Prepare, BindsTheBatchDimension) {
  for (const int64_t batch : {int64_t{-1}, int64_t{0}, int64_t{1}}) {
    Sketch sketch(Shape{batch, 3});
    const ir::ValueId y = sketch.Node("Relu", {0});
    const auto unsupported = Prepare(sketch.graph);
    ASSERT_TRUE(unsupported.ok()) << unsupported.status();
    EXPECT_TRUE(unsupported->empty());
    EXPECT_EQ(*sketch[y].shape, (Shape{1, 3}));
  }
}

TEST(Prepare, ListsInputsWithoutStaticShape) {
  for (const auto& shape : {std::optional<Shape>(), std::optional<Shape>({1, -1})}) {
    Sketch sketch(shape);
    sketch.Node("Relu", {0});
    const auto unsupported = Prepare(sketch.graph);
    ASSERT_TRUE(unsupported.ok()) << unsupported.status();
    ASSERT_EQ(unsupported->size(), 1U);
    EXPECT_EQ((*unsupported)[0].node, "x");
    EXPECT_EQ((*unsupported)[0].op, "Input");
  }
}

TEST(Prepare, FoldsShapeArithmetic) {
  // Flatten as exporters spell it: Reshape(x, Concat(Gather(Shape(x), 0), -1)).
  Sketch sketch(Shape{-1, 2, 3});
  const ir::ValueId shape = sketch.Node("Shape", {0});
  const ir::ValueId batch = sketch.Node("Gather", {shape, sketch.Constant(Integers({0}))});
  const ir::ValueId target =
      sketch.Node("Concat", {batch, sketch.Constant(Integers({-1}))}, {{"axis", int64_t{0}}});
  const ir::ValueId y = sketch.Node("Reshape", {0, target});
  const auto unsupported = Prepare(sketch.graph);
  ASSERT_TRUE(unsupported.ok()) << unsupported.status();
  EXPECT_TRUE(unsupported->empty());
  EXPECT_EQ(*sketch[y].shape, (Shape{1, 6}));
  ASSERT_EQ(sketch.graph.nodes.size(), 1U);
  EXPECT_EQ(sketch.graph.nodes[0].op, "Reshape");
}

TEST(Prepare, ListsEveryUnsupportedNodeOnce) {
  Sketch sketch(Shape{1, 4});
  const ir::ValueId a = sketch.Node("Frobnicate", {0});
  const ir::ValueId b = sketch.Node("Relu", {a});  // of unknown shape, yet a known operator
  const ir::ValueId c = sketch.Node("Cumulate", {b});
  const ir::ValueId d = sketch.Node("Resize", {0, ir::kNoValue, sketch.Constant(Vector({1, 2}))},
                                    {{"mode", std::string("cubic")}});
  sketch.Node("Sum", {c, d});
  const auto unsupported = Prepare(sketch.graph);
  ASSERT_TRUE(unsupported.ok()) << unsupported.status();
  std::vector<std::string> lines;
  for (const auto& node : *unsupported)
    lines.push_back(absl::StrCat(node.node, " ", node.op, " ", node.reason));
  EXPECT_THAT(lines, ElementsAre("n0 Frobnicate the operator is not supported",
                                 "n2 Cumulate the operator is not supported",
                                 "n3 Resize mode 'cubic' is not supported"));
}

TEST(Prepare, IgnoresNodesThatReachNoOutput) {
  Sketch sketch(Shape{1, 4});
  sketch.Node("Frobnicate", {0});
  sketch.Node("Relu", {0});
  const auto unsupported = Prepare(sketch.graph);
  ASSERT_TRUE(unsupported.ok()) << unsupported.status();
  EXPECT_TRUE(unsupported->empty());
}

TEST(Prepare, RefusesMalformedGraphsByName) {
  const auto message = [](ir::Graph graph) { return std::string(Prepare(graph).status().message()); };
  Sketch backwards(Shape{1});
  const ir::ValueId later = backwards.Value("later");
  backwards.Node("Relu", {later});
  EXPECT_THAT(message(backwards.graph), HasSubstr("'later'"));

  Sketch twice(Shape{1});
  twice.Node("Relu", {0});
  twice.graph.nodes.push_back(twice.graph.nodes[0]);
  EXPECT_THAT(message(twice.graph), HasSubstr("produced twice"));

  Sketch outside(Shape{1});
  outside.Node("Relu", {99});
  EXPECT_THAT(message(outside.graph), HasSubstr("out of range"));

  Sketch inputs(Shape{1});
  inputs.Node("Add", {0});
  EXPECT_THAT(message(inputs.graph), HasSubstr("has 1 inputs"));

  Sketch absent(Shape{1});
  absent.Node("Add", {0, ir::kNoValue});
  EXPECT_THAT(message(absent.graph), HasSubstr("is missing"));

  Sketch attribute(Shape{1});
  attribute.Node("LeakyRelu", {0}, {{"alpha", std::string("steep")}});
  EXPECT_THAT(message(attribute.graph), HasSubstr("'alpha'"));

  Sketch infinite(Shape{1});
  infinite.Node("LeakyRelu", {0}, {{"alpha", double{INFINITY}}});
  EXPECT_THAT(message(infinite.graph), HasSubstr("not finite"));
}

TEST(Prepare, RefusesNonFiniteConstantsThatAreUsed) {
  for (const float bad : {NAN, INFINITY}) {
    Sketch sketch(Shape{1});
    sketch.Node("Add", {0, sketch.Constant(Vector({bad}))});
    EXPECT_EQ(Prepare(sketch.graph).status().code(), absl::StatusCode::kInvalidArgument);
  }
  Sketch folded(Shape{1});
  const ir::ValueId infinite =
      folded.Node("Div", {folded.Constant(Vector({1})), folded.Constant(Vector({0}))});
  folded.Node("Add", {0, infinite});
  EXPECT_EQ(Prepare(folded.graph).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Prepare, BoundsWhatConstantsMayCost) {
  Sketch wide(Shape{1});
  const ir::ValueId filled = wide.Node("ConstantOfShape", {wide.Constant(Integers({20000, 20000}))});
  wide.Node("Add", {0, filled});
  EXPECT_EQ(Prepare(wide.graph).status().code(), absl::StatusCode::kResourceExhausted);

  Sketch deep(Shape{1});
  const ir::ValueId square = deep.Node("ConstantOfShape", {deep.Constant(Integers({3000, 3000}))});
  const ir::ValueId product = deep.Node("MatMul", {square, square});
  deep.Node("Add", {0, product});
  EXPECT_EQ(Prepare(deep.graph).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Evaluate, ChecksItsInputs) {
  Sketch sketch(Shape{1, 2});
  sketch.Node("Relu", {0});
  ASSERT_TRUE(Prepare(sketch.graph).ok());
  EXPECT_FALSE(Evaluate(sketch.graph, {}, Precision::kModel).ok());
  EXPECT_FALSE(Evaluate(sketch.graph, {Vector({1, 2})}, Precision::kModel).ok());
  EXPECT_FALSE(Evaluate(sketch.graph, {Tensor::FromInts({1, 2}, {1, 2})}, Precision::kModel).ok());
  EXPECT_FALSE(EvaluateFlat(sketch.graph, {1}, Precision::kModel).ok());
  const auto flat = EvaluateFlat(sketch.graph, {-1, 2}, Precision::kModel);
  ASSERT_TRUE(flat.ok()) << flat.status();
  EXPECT_THAT(*flat, ElementsAre(0, 2));
}

TEST(Evaluate, KeepsValuesThatAreUsedTwice) {
  Sketch sketch(Shape{1});
  const ir::ValueId a = sketch.Node("Relu", {0});
  const ir::ValueId b = sketch.Node("Neg", {a});
  sketch.Node("Sum", {a, b, a, 0});
  ASSERT_TRUE(Prepare(sketch.graph).ok());
  EXPECT_THAT(*EvaluateFlat(sketch.graph, {3}, Precision::kFloat64), ElementsAre(6));
}

}  // namespace
}  // namespace espalier::ops
