// Folding must not change the function by more than a rounding of every coefficient, however its terms
// cancel.
#include <gtest/gtest.h>

#include "tests/unit/ops/lower_graphs.h"

namespace espalier::ops {
namespace {

double ValueAt(const ir::Graph& graph, std::vector<double> x) {
  const auto network = Lower(graph);
  EXPECT_TRUE(network.ok()) << network.status();
  return network.ok() ? ir::EvaluateNodes(*network, x)[static_cast<size_t>(network->output)][0] : 0;
}

TEST(LowerRounding, FoldedWeightsSurviveCancellation) {
  GraphBuilder g({1, 1});
  const int wide = g.Node("MatMul", {g.input(), g.Doubles({1, 3}, {0x1p30, 1, 0x1p30})});
  const ir::Graph graph = g.Build(g.Node("MatMul", {wide, g.Doubles({3, 1}, {0x1p30, 1, -0x1p30})}));
  EXPECT_EQ(ValueAt(graph, {1}), 1);
}

TEST(LowerRounding, FoldedBiasesSurviveCancellation) {
  GraphBuilder g({1, 1});
  const int wide =
      g.Node("Gemm", {g.input(), g.Doubles({1, 3}, {1, 1, 1}), g.Doubles({3}, {0x1p30, 1, 0x1p30})});
  const ir::Graph graph = g.Build(g.Node("MatMul", {wide, g.Doubles({3, 1}, {0x1p30, 1, -0x1p30})}));
  EXPECT_EQ(ValueAt(graph, {0}), 1);
}

TEST(LowerRounding, ConstantsOfASumSurviveCancellation) {
  GraphBuilder g({1, 1});
  const ir::Graph graph = g.Build(g.Node(
      "Sum", {g.input(), g.Doubles({1, 1}, {0x1p60}), g.Doubles({1, 1}, {1}), g.Doubles({1, 1}, {-0x1p60})}));
  EXPECT_EQ(ValueAt(graph, {0}), 1);
}

TEST(LowerRounding, ShiftsInAChainSurviveCancellation) {
  GraphBuilder g({1, 1});
  int x = g.Node("Add", {g.input(), g.Doubles({1, 1}, {0x1p60})});
  x = g.Node("Add", {x, g.Doubles({1, 1}, {1})});
  const ir::Graph graph = g.Build(g.Node("Sub", {x, g.Doubles({1, 1}, {0x1p60})}));
  EXPECT_EQ(ValueAt(graph, {0}), 1);
}

TEST(LowerRounding, RoundedProductsAreNotSubtracted) {
  // 0.1 * 0.3 is rounded; against the double nearest to it nothing but that rounding would be left.
  GraphBuilder g({1, 1});
  const int scaled = g.Node("Mul", {g.input(), g.Doubles({1, 1}, {0.3})});
  const int product = g.Node("Mul", {scaled, g.Doubles({1, 1}, {0.1})});
  const int rounded = g.Node("Mul", {g.input(), g.Doubles({1, 1}, {0.1 * 0.3})});
  const auto network = Lower(g.Build(g.Node("Sub", {product, rounded})));
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_FALSE(network->nodes.back().terms.empty()) << "the difference is not zero";
}

TEST(LowerRounding, HingesAreExactOrNotRecognised) {
  // (2^30 + 1)^2 x - 2^60 x below zero: the product needs 61 bits.
  GraphBuilder g({1, 1});
  const int leaky = g.Node("PRelu", {g.input(), g.Doubles({1}, {0x1p30 + 1})});
  const int up = g.Node("Mul", {leaky, g.Doubles({1}, {0x1p30 + 1})});
  const ir::Graph graph = g.Build(g.Node("Sub", {up, g.Node("Mul", {g.input(), g.Doubles({1}, {0x1p60})})}));
  EXPECT_EQ(ValueAt(graph, {-1}), -(0x1p31 + 1));
}

TEST(LowerRounding, NormalisationIsWithinOneRounding) {
  // (1 - mean) * factor + shift at mean = 1 is the shift: nothing of the factor's rounding may be left over.
  for (double variance : {0.1, 0.7, 3.3, 123.4}) {
    GraphBuilder g({1, 1, 1, 1});
    const ir::ValueId gamma = g.Doubles({1}, {1.7}), shift = g.Doubles({1}, {0x1p-20}),
                      mean = g.Doubles({1}, {1}), spread = g.Doubles({1}, {variance});
    const ir::Graph graph =
        g.Build(g.Node("Flatten", {g.Node("BatchNormalization", {g.input(), gamma, shift, mean, spread})}));
    const auto network = Lower(graph);
    ASSERT_TRUE(network.ok()) << network.status();
    const long double epsilon = 1e-5F;
    const long double factor = 1.7L / std::sqrt(static_cast<long double>(variance) + epsilon);
    const ir::NetworkNode& node = network->nodes[1];
    const double scale = std::get<ir::ScaleMap>(*node.terms[0].map).scale[0];
    const auto expected_scale = static_cast<double>(1.7 * (factor / 1.7L));
    const auto expected_bias = static_cast<double>(0x1p-20L - 1.7 * (factor / 1.7L));
    EXPECT_NEAR(scale, expected_scale, 0x1p-52 * scale);
    EXPECT_NEAR(node.bias[0], expected_bias, 0x1p-52 * std::fabs(expected_bias));
  }
}

TEST(LowerRounding, DefaultsOfFloatAttributesAreFloat32) {
  GraphBuilder g({1, 1});
  const ir::Graph leaky = g.Build(g.Node("LeakyRelu", {g.input()}));
  EXPECT_EQ(ValueAt(leaky, {-1}), -static_cast<double>(0.01F));
  const auto evaluated = EvaluateFlat(leaky, {-1}, Precision::kFloat64);
  ASSERT_TRUE(evaluated.ok());
  EXPECT_EQ((*evaluated)[0], -static_cast<double>(0.01F));

  GraphBuilder n({1, 1, 1, 1});
  const ir::ValueId one = n.Doubles({1}, {1}), zero = n.Doubles({1}, {0});
  const ir::Graph norm =
      n.Build(n.Node("Flatten", {n.Node("BatchNormalization", {n.input(), one, zero, zero, zero})}));
  const double expected = 1 / std::sqrt(static_cast<double>(1e-5F));
  EXPECT_NEAR(ValueAt(norm, {1}), expected, 1e-13 * expected);
  const auto normalised = EvaluateFlat(norm, {1}, Precision::kFloat64);
  ASSERT_TRUE(normalised.ok());
  EXPECT_NEAR((*normalised)[0], expected, 1e-13 * expected);
}

}  // namespace
}  // namespace espalier::ops
