// What folding must and must not join.
#include <gtest/gtest.h>

#include "tests/unit/ops/lower_graphs.h"

namespace espalier::ops {
namespace {

using Lines = std::vector<std::string>;
using ListOfInts = std::vector<int64_t>;

Attributes Pads(int64_t p) {
  return {{"pads", ListOfInts{p, p, p, p}}};
}

TEST(LowerFold, BatchNormalisationJoinsTheConvolutionInFrontOfIt) {
  GraphBuilder g({1, 3, 6, 6});
  const int conv = g.Node("Conv", {g.input(), g.Random({4, 3, 3, 3}), g.Random({4})}, Pads(1));
  const int norm = g.Node("BatchNormalization", {conv, g.Random({4}), g.Random({4}), g.Random({4}),
                                                 g.Doubles({4}, {0.5, 1, 2, 3})});
  const int relu = g.Node("Relu", {norm});
  const int flat = g.Node("Flatten", {relu});
  const int y = g.Node("Gemm", {flat, g.Random({144, 5}), g.Random({5})});
  const ir::Network network = LowerAndCompare(g.Build(y));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:conv)", "hinge(1)", "affine(2:dense)"}));
}

TEST(LowerFold, NormalisationInFrontOfZeroPaddingIsExactThroughThePerNeuronBias) {
  GraphBuilder g({1, 2, 5, 5});
  const int centred = g.Node("Sub", {g.input(), g.Random({1, 2, 1, 1})});
  const int scaled = g.Node("Div", {centred, g.Doubles({2, 1, 1}, {0.25, 0.5})});
  const int y = g.Node("Conv", {scaled, g.Random({3, 2, 3, 3})}, Pads(1));
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {g.Node("Relu", {y})})));
  EXPECT_EQ(Outline(network)[1], "affine(0:conv)");
  EXPECT_EQ(network.nodes.size(), 4u);
  const std::vector<double>& bias = network.nodes[1].bias;
  EXPECT_NE(bias[0], bias[static_cast<size_t>(3 * (2 * 5 + 2))]) << "corner and centre see different padding";
}

TEST(LowerFold, ResidualSumCostsNoNode) {
  GraphBuilder g({1, 2, 4, 4});
  const int a = g.Node("Relu", {g.Node("Conv", {g.input(), g.Random({4, 2, 3, 3})}, Pads(1))});
  const int b = g.Node("Relu", {g.Node("Conv", {a, g.Random({4, 4, 3, 3})}, Pads(1))});
  const int c = g.Node("Conv", {b, g.Random({4, 4, 3, 3}), g.Random({4})}, Pads(1));
  const int sum = g.Node("Relu", {g.Node("Add", {c, a})});
  const int y = g.Node("Gemm", {g.Node("Flatten", {sum}), g.Random({64, 3})});
  const ir::Network network = LowerAndCompare(g.Build(y));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:conv)", "hinge(1)", "affine(2:conv)", "hinge(3)",
                                     "affine(4:conv,2:identity)", "hinge(5)", "affine(6:dense)"}));
}

TEST(LowerFold, ConvolutionUsedTwiceIsNotComputedTwice) {
  GraphBuilder g({1, 2, 4, 4});
  const int x = g.Node("Conv", {g.input(), g.Random({2, 2, 3, 3})}, Pads(1));
  const int y = g.Node(
      "Add", {g.Node("Relu", {x}),
              g.Node("Relu", {g.Node("Neg", {g.Node("Conv", {x, g.Random({2, 2, 3, 3})}, Pads(1))})})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {y})));
  EXPECT_EQ(Outline(network)[1], "affine(0:conv)");
  EXPECT_EQ(Outline(network)[3], "affine(1:conv)");
}

TEST(LowerFold, ImagesAreChannelsLastWithoutANode) {
  GraphBuilder g({1, 3, 4, 5});
  const int y = g.Node("Conv", {g.input(), g.Random({2, 3, 2, 2})});
  const ir::Network network =
      LowerAndCompare(g.Build(g.Node("Gemm", {g.Node("Flatten", {g.Node("Relu", {y})}), g.Random({24, 1})})));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:conv)", "hinge(1)", "affine(2:dense)"}));
  EXPECT_EQ(network.input_order[1], 20)
      << "the second stored neuron is the second channel of the first pixel";
  EXPECT_EQ(network.nodes[1].image.c, 2);
}

TEST(LowerFold, TransposesOfChannelsLastModelsAreOnlyNames) {
  GraphBuilder g({1, 4, 5, 3});
  const int nchw = g.Node("Transpose", {g.input()}, {{"perm", ListOfInts{0, 3, 1, 2}}});
  const int conv = g.Node("Relu", {g.Node("Conv", {nchw, g.Random({2, 3, 2, 2})})});
  const int nhwc = g.Node("Transpose", {conv}, {{"perm", ListOfInts{0, 2, 3, 1}}});
  const int flat = g.Node("Reshape", {nhwc, g.Ints({1, -1})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("MatMul", {flat, g.Random({24, 2})})));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:conv)", "hinge(1)", "affine(2:dense)"}));
  EXPECT_EQ(network.input_order[1], 1);
}

TEST(LowerFold, FlatInputReshapedToAnImageIsStoredAsTheImage) {
  GraphBuilder g({1, 18});
  const int image = g.Node("Reshape", {g.input(), g.Ints({1, 2, 3, 3})});
  const int conv = g.Node("Conv", {image, g.Random({2, 2, 2, 2})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {g.Node("Relu", {conv})})));
  EXPECT_EQ(Outline(network)[1], "affine(0:conv)");
  EXPECT_EQ(network.input_order[1], 9);
}

TEST(LowerFold, ChainsOfDenseLayersJoinWhereThatIsLessWork) {
  GraphBuilder g({1, 2});
  g.set_coarse();
  int x = g.Node("Gemm", {g.input(), g.Random({2, 8}), g.Random({8})});
  x = g.Node("Gemm", {x, g.Random({8, 16}), g.Random({16})});
  x = g.Node("Relu", {g.Node("Gemm", {x, g.Random({16, 20}), g.Random({20})})});
  x = g.Node("Gemm", {x, g.Random({20, 2}), g.Random({2})});  // a bottleneck: 20 -> 2 -> 20 stays apart
  x = g.Node("Relu", {g.Node("Gemm", {x, g.Random({2, 20}), g.Random({20})})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Gemm", {x, g.Random({20, 1})})));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:dense)", "hinge(1)", "affine(2:dense)",
                                     "affine(3:dense)", "hinge(4)", "affine(5:dense)"}));
}

TEST(LowerFold, ExplicitPaddingJoinsTheConvolution) {
  GraphBuilder g({1, 2, 4, 4});
  const int padded = g.Node("Pad", {g.input(), g.Ints({0, 0, 1, 1, 0, 0, 2, 2})});
  const int y = g.Node("Conv", {padded, g.Random({2, 2, 3, 3})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {g.Node("Relu", {y})})));
  EXPECT_EQ(Outline(network)[1], "affine(0:conv)");
}

TEST(LowerFold, ConvolutionOverTheWholeImageIsDense) {
  GraphBuilder g({1, 2, 3, 3});
  const int relu = g.Node("Relu", {g.Node("Conv", {g.input(), g.Random({4, 2, 2, 2})})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Conv", {relu, g.Random({5, 4, 2, 2})})));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:conv)", "hinge(1)", "affine(2:dense)"}));
}

TEST(LowerFold, OutputIsInOnnxOrder) {
  GraphBuilder g({1, 2, 3, 3});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Conv", {g.input(), g.Random({2, 2, 2, 2})})));
  EXPECT_EQ(network.output_size(), 8);
}

TEST(LowerFold, NodesAndNeuronsWithoutInfluenceGo) {
  GraphBuilder g({1, 2});
  const int h = g.Node("Relu", {g.Node("Gemm", {g.input(), g.Random({2, 3})})});
  g.Node("Sigmoid", {h});  // nobody reads it
  const int y = g.Node("Gemm", {h, g.Doubles({3, 1}, {1, 0, 2})});
  const ir::Network network = LowerAndCompare(g.Build(y));
  ASSERT_EQ(network.nodes.size(), 4u);
  EXPECT_EQ(network.nodes[2].hinge.right, (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(ir::CountHinges(network.nodes[2].hinge), 2);
  EXPECT_EQ(ir::CountGrafted(network.nodes[2].hinge), 0);
}

TEST(LowerFold, NodesNeededForTheirShapeAloneNeedNoLowering) {
  GraphBuilder g({1, 2, 3});
  const int shape = g.Node("Shape", {g.Node("Sigmoid", {g.input()})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Reshape", {g.input(), shape})));
  EXPECT_EQ(Outline(network), (Lines{"input", "affine(0:identity)"}));
}

TEST(LowerFold, ActivationReadsTheValueItselfBehindAnOperatorThatDoesNothing) {
  GraphBuilder g({1, 2, 4, 4});
  const int conv = g.Node("Conv", {g.input(), g.Random({2, 2, 3, 3})}, Pads(1));
  const int same = g.Node("Mul", {conv, g.Doubles({1}, {1})});
  const int other = g.Node("Relu", {g.Node("Conv", {conv, g.Random({2, 2, 3, 3})}, Pads(1))});
  const ir::Network network =
      LowerAndCompare(g.Build(g.Node("Flatten", {g.Node("Add", {g.Node("Relu", {same}), other})})));
  const Lines lines = Outline(network);
  EXPECT_EQ(lines[1], "affine(0:conv)");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "affine(1:identity)"), 0);
}

TEST(LowerFold, EverythingThatCannotBeLoweredIsListedAtOnce) {
  GraphBuilder g({1, 3});
  const int a = g.Node("Sigmoid", {g.input()});
  const int b = g.Node("Mul", {g.input(), a});
  const auto network = Lower(g.Build(g.Node("Tanh", {b})));
  ASSERT_EQ(network.status().code(), absl::StatusCode::kUnimplemented);
  const std::string message(network.status().message());
  EXPECT_NE(message.find("'Sigmoid_0' (Sigmoid)"), std::string::npos) << message;
  EXPECT_NE(message.find("'Mul_1' (Mul)"), std::string::npos) << message;
  EXPECT_NE(message.find("'Tanh_2' (Tanh)"), std::string::npos) << message;
}

}  // namespace
}  // namespace espalier::ops
