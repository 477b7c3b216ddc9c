#include "verifier/bounds/interval.h"

#include "tests/unit/bounds/small_network.h"

namespace espalier::bounds {
namespace {

// |x0 + x1|, x0 - x1 -> sum with weights (1, -1) and bias 0.5
ir::Network Small() {
  return DenseNetwork(2, {{{{1, 1}, {1, -1}}, {0, 0}}, {{{1, -1}}, {0.5}}}, {{-1, 1, 0}});
}

TEST(IntervalTest, PropagatesThroughHinges) {
  const Planned p(Small());
  IntervalPass pass(*p.plan);
  ASSERT_TRUE(pass.Start({-1, 0}, {2, 1}, 1).ok());
  LayerBox box;
  ASSERT_TRUE(pass.PreActivation(0, box).ok());
  ASSERT_EQ(box.lower.size(), 2u);
  EXPECT_NEAR(box.lower[0], -1, 1e-12);
  EXPECT_LE(box.lower[0], -1);
  EXPECT_NEAR(box.upper[0], 3, 1e-12);
  EXPECT_GE(box.upper[0], 3);
  EXPECT_NEAR(box.lower[1], -2, 1e-12);
  EXPECT_NEAR(box.upper[1], 2, 1e-12);
  ASSERT_TRUE(pass.SetPreActivation(0, box).ok());
  ASSERT_TRUE(pass.Node(p.network.output, box).ok());
  EXPECT_NEAR(box.lower[0], 0 - 2 + 0.5, 1e-12);
  EXPECT_NEAR(box.upper[0], 3 - 0 + 0.5, 1e-12);
}

TEST(IntervalTest, ContinuesFromWhatTheCallerTightened) {
  const Planned p(Small());
  IntervalPass pass(*p.plan);
  ASSERT_TRUE(pass.Start({-1, 0}, {2, 1}, 1).ok());
  LayerBox box;
  ASSERT_TRUE(pass.PreActivation(0, box).ok());
  ASSERT_TRUE(pass.SetPreActivation(0, {{1, -0.5}, {2, 0.25}}).ok());
  ASSERT_TRUE(pass.Node(p.network.output, box).ok());
  EXPECT_NEAR(box.lower[0], 1 - 0.5 + 0.5, 1e-12);
  EXPECT_NEAR(box.upper[0], 2 - 0 + 0.5, 1e-12);
}

TEST(IntervalTest, DomainsAreIndependent) {
  const Planned p(Small());
  IntervalPass pass(*p.plan);
  ASSERT_TRUE(pass.Start({-1, 0, 1, 1}, {2, 1, 1, 1}, 2).ok());
  LayerBox box;
  ASSERT_TRUE(pass.PreActivation(0, box).ok());
  ASSERT_EQ(box.lower.size(), 4u);
  EXPECT_NEAR(box.upper[0], 3, 1e-12);
  EXPECT_NEAR(box.lower[2], 2, 1e-12);
  EXPECT_NEAR(box.upper[2], 2, 1e-12);
  EXPECT_NEAR(box.upper[3], 0, 1e-12);
}

TEST(IntervalTest, OverflowIsNoInformation) {
  const Planned p(DenseNetwork(1, {{{{1e200}}, {0}}, {{{1e200}}, {0}}}, {Relu()}));
  IntervalPass pass(*p.plan);
  ASSERT_TRUE(pass.Start({-1}, {1}, 1).ok());
  LayerBox box;
  ASSERT_TRUE(pass.PreActivation(0, box).ok());
  ASSERT_TRUE(pass.SetPreActivation(0, box).ok());
  ASSERT_TRUE(pass.Node(p.network.output, box).ok());
  EXPECT_FALSE(box.lower[0] > 0);
  EXPECT_FALSE(box.upper[0] < 1e300);
}

}  // namespace
}  // namespace espalier::bounds
