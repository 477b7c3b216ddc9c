// Every operator's lowering computes what its evaluation computes.
#include <gtest/gtest.h>

#include "tests/unit/ops/lower_graphs.h"

namespace espalier::ops {
namespace {

using List = std::vector<int64_t>;

int64_t CountAllHinges(const ir::Network& network) {
  int64_t count = 0;
  for (const auto& node : network.nodes) count += ir::CountHinges(node.hinge);
  return count;
}

// op(input, constants...) on an image of 1 x 4 x 6 x 5.
void ExpectImageOp(const std::string& op, Attributes attributes, std::vector<Shape> constants = {}) {
  GraphBuilder g({1, 4, 6, 5});
  std::vector<int> inputs{g.input()};
  for (const Shape& shape : constants) inputs.push_back(g.Random(shape));
  LowerAndCompare(g.Build(g.Node(op, inputs, std::move(attributes))));
}

TEST(LowerOperators, Convolution) {
  ExpectImageOp("Conv", {}, {{3, 4, 2, 3}, {3}});
  ExpectImageOp("Conv", {{"strides", List{2, 1}}, {"pads", List{1, 0, 2, 1}}}, {{3, 4, 3, 2}});
  ExpectImageOp("Conv", {{"dilations", List{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}}, {{3, 4, 2, 2}});
  ExpectImageOp("Conv", {{"group", int64_t{2}}}, {{6, 2, 3, 3}, {6}});
}

TEST(LowerOperators, ManyGroupsBecomeSparse) {
  GraphBuilder g({1, 10, 4, 4});
  const int y =
      g.Node("Conv", {g.input(), g.Random({10, 1, 3, 3}), g.Random({10})}, {{"group", int64_t{10}}});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {g.Node("Relu", {y})})));
  EXPECT_EQ(Outline(network)[1], "affine(0:sparse)");
}

TEST(LowerOperators, OneDimensionalWindows) {
  GraphBuilder g({1, 3, 9});
  const int conv = g.Node("Conv", {g.input(), g.Random({4, 3, 3}), g.Random({4})}, {{"strides", List{2}}});
  const int pool = g.Node("MaxPool", {conv}, {{"kernel_shape", List{2}}});
  LowerAndCompare(g.Build(g.Node("AveragePool", {pool}, {{"kernel_shape", List{2}}})));
}

TEST(LowerOperators, TransposedConvolution) {
  ExpectImageOp("ConvTranspose", {{"strides", List{2, 2}}}, {{4, 3, 3, 2}, {3}});
  ExpectImageOp("ConvTranspose", {{"strides", List{2, 1}}, {"pads", List{1, 0, 1, 1}}}, {{4, 3, 3, 3}});
  ExpectImageOp("ConvTranspose",
                {{"strides", List{2, 2}}, {"output_padding", List{1, 1}}, {"group", int64_t{2}}},
                {{4, 3, 3, 3}, {6}});
}

TEST(LowerOperators, Pooling) {
  ExpectImageOp("MaxPool", {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}});
  ExpectImageOp("MaxPool",
                {{"kernel_shape", List{3, 3}}, {"pads", List{1, 1, 1, 1}}, {"strides", List{2, 2}}});
  ExpectImageOp("MaxPool",
                {{"kernel_shape", List{3, 2}}, {"ceil_mode", int64_t{1}}, {"strides", List{2, 2}}});
  ExpectImageOp("AveragePool", {{"kernel_shape", List{3, 3}}, {"pads", List{1, 1, 1, 1}}});
  ExpectImageOp(
      "AveragePool",
      {{"kernel_shape", List{3, 3}}, {"pads", List{1, 1, 1, 1}}, {"count_include_pad", int64_t{1}}});
  ExpectImageOp("AveragePool",
                {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}, {"ceil_mode", int64_t{1}}});
  ExpectImageOp("GlobalAveragePool", {});
  ExpectImageOp("GlobalMaxPool", {});
}

TEST(LowerOperators, MaxPoolOfFourNeedsTwoRoundsAndThreeHingesPerOutput) {
  GraphBuilder g({1, 1, 4, 4});
  const int y = g.Node("MaxPool", {g.input()}, {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}});
  const ir::Network network = LowerAndCompare(g.Build(y), 30);
  EXPECT_EQ(CountAllHinges(network), 12);
  EXPECT_EQ(network.nodes.size(), 6u);
}

TEST(LowerOperators, Activations) {
  ExpectImageOp("Relu", {});
  ExpectImageOp("Abs", {});
  ExpectImageOp("Neg", {});
  ExpectImageOp("LeakyRelu", {{"alpha", 0.25}});
  ExpectImageOp("PRelu", {}, {{4, 1, 1}});
  ExpectImageOp("PRelu", {}, {{4, 6, 5}});
}

TEST(LowerOperators, ClipIsASumOfTwoHinges) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{-0.5, 0.25}, {0, 6}, {0.5, -0.5}}) {
    GraphBuilder g({1, 8});
    const int y = g.Node("Clip", {g.input(), g.Doubles({}, {low}), g.Doubles({}, {high})});
    const ir::Network network = LowerAndCompare(g.Build(y), 30);
    EXPECT_EQ(CountAllHinges(network), low <= high ? 16 : 0);
  }
  GraphBuilder one_sided({1, 8});
  const int y = one_sided.Node("Clip", {one_sided.input(), one_sided.Doubles({}, {0.5})});
  EXPECT_EQ(CountAllHinges(LowerAndCompare(one_sided.Build(y), 30)), 8);
  GraphBuilder old({1, 8});
  old.set_opset(8);
  LowerAndCompare(old.Build(old.Node("Clip", {old.input()}, {{"max", 0.5}, {"min", -0.25}})));
}

TEST(LowerOperators, MaximaAndMinima) {
  for (const char* op : {"Max", "Min"}) {
    GraphBuilder g({1, 3, 4, 4});
    const int a = g.Node("Conv", {g.input(), g.Random({3, 3, 1, 1})});
    const int y = g.Node(op, {g.input(), g.Random({3, 1, 1}), a});
    LowerAndCompare(g.Build(y), 20);
  }
}

TEST(LowerOperators, ArithmeticBroadcastsBothWays) {
  GraphBuilder g({1, 3, 4, 4});
  const int mean = g.Node("ReduceMean", {g.input()}, {{"axes", List{2, 3}}, {"keepdims", int64_t{1}}});
  const int a = g.Node("Sub", {g.input(), mean});
  const int b = g.Node("Mul", {g.Random({1, 4}), a});
  const int c = g.Node("Div", {b, g.Doubles({3, 1, 1}, {1, -2, 4})});
  const int d = g.Node("Sub", {g.Random({4, 4}), c});
  LowerAndCompare(g.Build(g.Node("Sum", {d, a, mean})));
}

TEST(LowerOperators, WhereChoosesAmongConstantsToo) {
  GraphBuilder g({1, 4});
  const int mask = g.Constant(Tensor::FromBools({4}, {1, 0, 0, 1}));
  LowerAndCompare(g.Build(g.Node("Where", {mask, g.Random({1, 4}), g.input()})));
}

TEST(LowerOperators, MatrixProducts) {
  GraphBuilder rows({1, 5, 3});  // several rows: a 1x1 convolution
  const ir::Network network = LowerAndCompare(
      rows.Build(rows.Node("Relu", {rows.Node("MatMul", {rows.input(), rows.Random({3, 2})})})));
  EXPECT_EQ(Outline(network)[1], "affine(0:conv)");
  GraphBuilder left({1, 5, 3});
  LowerAndCompare(left.Build(left.Node("MatMul", {left.Random({4, 5}), left.input()})));
  GraphBuilder vector({6});
  LowerAndCompare(vector.Build(vector.Node("MatMul", {vector.Random({2, 6}), vector.input()})));
  LowerAndCompare(vector.Build(vector.Node("MatMul", {vector.input(), vector.Random({6})})));
  GraphBuilder gemm({3, 5});
  const Attributes attributes{{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 0.5}, {"beta", 2.0}};
  LowerAndCompare(
      gemm.Build(gemm.Node("Gemm", {gemm.input(), gemm.Random({2, 3}), gemm.Random({2})}, attributes)));
  LowerAndCompare(
      gemm.Build(gemm.Node("Gemm", {gemm.Random({5, 4}), gemm.input(), gemm.Random({1, 3})}, attributes)));
}

TEST(LowerOperators, Movement) {
  GraphBuilder g({1, 4, 6, 5});
  const int conv = g.Node("Conv", {g.input(), g.Random({4, 4, 3, 3})}, {{"pads", List{1, 1, 1, 1}}});
  const int part =
      g.Node("Slice", {conv, g.Ints({1, 5}), g.Ints({3, -100}), g.Ints({1, 2}), g.Ints({1, -2})});
  const int padded = g.Node("Pad", {part, g.Ints({0, 0, 1, 1, 0, 1, 0, 0}), g.Doubles({}, {2.5})});
  const int joined = g.Node("Concat", {padded, g.Random({1, 2, 4, 6}), padded}, {{"axis", int64_t{1}}});
  const auto halves = g.Nodes("Split", {joined}, 2, {{"axis", int64_t{2}}});
  const int turned = g.Node("Transpose", {halves[1]}, {{"perm", List{0, 2, 3, 1}}});
  const int shaped = g.Node("Reshape", {turned, g.Ints({2, -1})});
  const int squeezed = g.Node("Squeeze", {g.Node("Unsqueeze", {shaped, g.Ints({0})}), g.Ints({0})});
  LowerAndCompare(g.Build(g.Node("Gather", {squeezed, g.Ints({3, 0, 0, 7})}, {{"axis", int64_t{1}}})));
}

TEST(LowerOperators, NearestResize) {
  GraphBuilder g({1, 3, 2, 3});
  const int conv = g.Node("Conv", {g.input(), g.Random({2, 3, 1, 1})});
  const int empty = g.Constant(Tensor::FromFloats({0}, {}));
  const int scales = g.Constant(Tensor::FromFloats({4}, {1, 1, 2, 3}));
  const Attributes nearest{{"mode", std::string("nearest")},
                           {"coordinate_transformation_mode", std::string("asymmetric")},
                           {"nearest_mode", std::string("floor")}};
  LowerAndCompare(g.Build(g.Node("Resize", {conv, empty, scales}, nearest)));
}

TEST(LowerOperators, Sums) {
  GraphBuilder g({1, 3, 2, 4});
  LowerAndCompare(g.Build(g.Node("ReduceSum", {g.input(), g.Ints({-1, 1})}, {{"keepdims", int64_t{0}}})));
  LowerAndCompare(g.Build(g.Node("ReduceMean", {g.input()})));
}

TEST(LowerOperators, RefusesWhatHasNoExactForm) {
  const auto refused = [](const std::string& op, std::vector<int> (*inputs)(GraphBuilder&)) {
    GraphBuilder g({1, 3});
    const auto network = Lower(g.Build(g.Node(op, inputs(g))));
    EXPECT_EQ(network.status().code(), absl::StatusCode::kUnimplemented) << op;
  };
  refused("Mul", [](GraphBuilder& g) { return std::vector<int>{g.input(), g.input()}; });
  refused("Div", [](GraphBuilder& g) { return std::vector<int>{g.Doubles({1}, {1}), g.input()}; });
  refused("Softmax", [](GraphBuilder& g) { return std::vector<int>{g.input()}; });
}

}  // namespace
}  // namespace espalier::ops
