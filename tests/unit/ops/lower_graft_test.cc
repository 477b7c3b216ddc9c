// Every spelling of a graft becomes one activation layer with (a, a, b) on grafted neurons and (0, 1, 0)
// elsewhere.
#include <gtest/gtest.h>

#include "tests/unit/ops/lower_graphs.h"

namespace espalier::ops {
namespace {

const std::vector<double> kMask{1, 0, 1, 0}, kSlope{0.4, 7, -0.25, 7}, kIntercept{0.1, 7, 0.3, 7};

std::vector<double> Map(const std::vector<double>& v, double (*f)(double)) {
  std::vector<double> out;
  for (double x : v) out.push_back(f(x));
  return out;
}

// Gemm, the graft made by `spell` from the pre-activation, Gemm; then the expectations.
template <class Spell>
void ExpectOneGraftedLayer(Spell spell) {
  GraphBuilder g({1, 3});
  const int x = g.Node("Gemm", {g.input(), g.Random({3, 4}), g.Random({4})});
  const int y = g.Node("Gemm", {spell(g, x), g.Random({4, 2}), g.Random({2})});
  const ir::Network network = LowerAndCompare(g.Build(y), 50);
  ASSERT_EQ(Outline(network),
            (std::vector<std::string>{"input", "affine(0:dense)", "hinge(1)", "affine(2:dense)"}));
  const ir::HingeLayer& hinge = network.nodes[2].hinge;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(hinge.left[i], kMask[i] != 0 ? kSlope[i] : 0) << i;
    EXPECT_DOUBLE_EQ(hinge.right[i], kMask[i] != 0 ? kSlope[i] : 1) << i;
    EXPECT_DOUBLE_EQ(hinge.intercept[i], kMask[i] != 0 ? kIntercept[i] : 0) << i;
  }
  EXPECT_EQ(ir::CountGrafted(hinge), 2);
  EXPECT_EQ(ir::CountHinges(hinge), 2);
}

int Line(GraphBuilder& g, int x) {
  return g.Node("Add", {g.Node("Mul", {g.Doubles({1, 4}, kSlope), x}), g.Doubles({4}, kIntercept)});
}

TEST(LowerGraft, MaskedSum) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int keep = g.Doubles({1, 4}, Map(kMask, [](double m) { return 1 - m; }));
    const int relu = g.Node("Mul", {g.Node("Relu", {x}), keep});
    return g.Node("Add", {relu, g.Node("Mul", {g.Doubles({1, 4}, kMask), Line(g, x)})});
  });
}

TEST(LowerGraft, MaskedSumWithOperandsSwappedAndTheComplementComputed) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int mask = g.Doubles({1, 4}, kMask);
    const int keep = g.Node("Sub", {g.Doubles({}, {1}), mask});
    const int line = g.Node("Mul", {Line(g, x), mask});
    return g.Node("Add", {line, g.Node("Mul", {keep, g.Node("Relu", {x})})});
  });
}

TEST(LowerGraft, WhereWithBooleanMask) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int mask = g.Constant(Tensor::FromBools({1, 4}, {1, 0, 1, 0}));
    return g.Node("Where", {mask, Line(g, x), g.Node("Relu", {x})});
  });
}

TEST(LowerGraft, WhereWithMaskCastFromFloat) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int mask = g.Node("Cast", {g.Doubles({1, 4}, kMask)}, {{"to", int64_t{9}}});
    return g.Node("Where", {mask, Line(g, x), g.Node("Relu", {x})});
  });
}

TEST(LowerGraft, PrecomputedCoefficientsAddedLast) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int k = g.Doubles({4}, {0, 1, 0, 1}), p = g.Doubles({4}, {0.4, 0, -0.25, 0});
    const int q = g.Doubles({4}, {0.1, 0, 0.3, 0});
    const int sum = g.Node("Add", {g.Node("Mul", {g.Node("Relu", {x}), k}), g.Node("Mul", {x, p})});
    return g.Node("Add", {sum, q});
  });
}

TEST(LowerGraft, PrecomputedCoefficientsAddedFirst) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    const int k = g.Doubles({4}, {0, 1, 0, 1}), p = g.Doubles({4}, {0.4, 0, -0.25, 0});
    const int q = g.Doubles({4}, {0.1, 0, 0.3, 0});
    const int line = g.Node("Add", {q, g.Node("Mul", {p, x})});
    return g.Node("Add", {line, g.Node("Mul", {k, g.Node("Relu", {x})})});
  });
}

TEST(LowerGraft, CustomNode) {
  ExpectOneGraftedLayer([](GraphBuilder& g, int x) {
    return g.Node("LinearMaskedRelu",
                  {x, g.Doubles({4}, kMask), g.Doubles({4}, kSlope), g.Doubles({4}, kIntercept)}, {},
                  "graft.custom");
  });
}

TEST(LowerGraft, PerChannelOnAnImageBehindBatchNormalisation) {
  GraphBuilder g({1, 2, 4, 4});
  const int conv =
      g.Node("Conv", {g.input(), g.Random({4, 2, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const int x = g.Node("BatchNormalization",
                       {conv, g.Random({4}), g.Random({4}), g.Random({4}), g.Doubles({4}, {1, 2, 3, 4})});
  const int mask = g.Doubles({4, 1, 1}, kMask);
  const int line =
      g.Node("Add", {g.Node("Mul", {x, g.Doubles({4, 1, 1}, kSlope)}), g.Doubles({4, 1, 1}, kIntercept)});
  const int keep = g.Node("Sub", {g.Doubles({1}, {1}), mask});
  const int y = g.Node("Add", {g.Node("Mul", {g.Node("Relu", {x}), keep}), g.Node("Mul", {mask, line})});
  const int out = g.Node("Conv", {y, g.Random({1, 4, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Flatten", {out})));
  EXPECT_EQ(Outline(network),
            (std::vector<std::string>{"input", "affine(0:conv)", "hinge(1)", "affine(2:conv)"}));
  EXPECT_EQ(ir::CountGrafted(network.nodes[2].hinge), 32);
  EXPECT_EQ(ir::CountHinges(network.nodes[2].hinge), 32);
}

TEST(LowerGraft, GraftAsTheOutputAndUnderAnotherActivation) {
  GraphBuilder g({1, 4});
  const int x = g.Node("Gemm", {g.input(), g.Random({4, 4})});
  const int mask = g.Constant(Tensor::FromBools({4}, {1, 0, 1, 0}));
  const int graft = g.Node("Where", {mask, Line(g, x), g.Node("Relu", {x})});
  EXPECT_EQ(LowerAndCompare(g.Build(graft)).nodes.size(), 4u);
  const ir::Network network = LowerAndCompare(g.Build(g.Node("LeakyRelu", {graft})));
  EXPECT_EQ(Outline(network),
            (std::vector<std::string>{"input", "affine(0:dense)", "hinge(1)", "affine(2:identity)",
                                      "hinge(3)", "affine(4:identity)"}));
}

TEST(LowerGraft, FullyGraftedLayerIsAffineAndDisappears) {
  GraphBuilder g({1, 4});
  g.set_coarse();
  const int x = g.Node("Gemm", {g.input(), g.Random({4, 4})});
  const int all = g.Constant(Tensor::FromBools({1}, {1}));
  const int line = g.Node("Add", {g.Node("Mul", {g.Random({1, 4}), x}), g.Random({4})});
  const int graft = g.Node("Where", {all, line, g.Node("Relu", {x})});
  const ir::Network network = LowerAndCompare(g.Build(g.Node("Gemm", {graft, g.Random({4, 2})})));
  EXPECT_EQ(Outline(network), (std::vector<std::string>{"input", "affine(0:dense)"}));
}

TEST(LowerGraft, ActivationUsedElsewhereKeepsItsHinges) {
  GraphBuilder g({1, 4});
  const int x = g.Node("Gemm", {g.input(), g.Random({4, 4})});
  const int relu = g.Node("Relu", {x});
  const int sum = g.Node("Add", {relu, g.Node("Mul", {x, g.Random({4})})});
  const int y = g.Node("Concat", {g.Node("Gemm", {sum, g.Random({4, 2})}), relu}, {{"axis", int64_t{1}}});
  const ir::Network network = LowerAndCompare(g.Build(y));
  int activations = 0;
  for (const auto& node : network.nodes) activations += node.kind == ir::NodeKind::kActivation;
  EXPECT_EQ(activations, 1);
}

}  // namespace
}  // namespace espalier::ops
