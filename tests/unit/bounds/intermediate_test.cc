#include "verifier/bounds/intermediate.h"

#include "tests/unit/bounds/small_network.h"

namespace espalier::bounds {
namespace {

// relu(x) and relu(x) subtracted: interval arithmetic forgets that they are equal, backward rows do not.
ir::Network Forgetful() {
  return DenseNetwork(1, {{{{1}, {1}}, {0, 0}}, {{{1, -1}}, {0.5}}, {{{1}}, {0}}}, {Relu(), Relu()});
}

TEST(IntermediateTest, BackwardRowsTightenWhatIntervalsForget) {
  const Planned p(Forgetful());
  const auto interval = ComputeIntermediate(*p.plan, {1, {1}, {2}}, {.backward = false}, StopToken());
  const auto crown = ComputeIntermediate(*p.plan, {1, {1}, {2}}, {}, StopToken());
  ASSERT_TRUE(interval.ok() && crown.ok());
  EXPECT_NEAR(interval->layers[1].lower[0], -0.5, 1e-12);
  EXPECT_NEAR(interval->layers[1].upper[0], 1.5, 1e-12);
  EXPECT_NEAR(crown->layers[1].lower[0], 0.5, 1e-12);
  EXPECT_NEAR(crown->layers[1].upper[0], 0.5, 1e-12);
  EXPECT_TRUE(crown->complete);
}

TEST(IntermediateTest, OptimisedRowsTightenFurther) {
  // relu(x) - x / 2 with x in [-1, 3] is at least 0, which the adaptive slope misses.
  const Planned p(
      DenseNetwork(1, {{{{1}, {1}}, {0, 10}}, {{{1, -0.5}}, {4.9}}, {{{1}}, {0}}}, {Relu(), Relu()}));
  const auto crown = ComputeIntermediate(*p.plan, {1, {-1}, {3}}, {}, StopToken());
  const auto alpha = ComputeIntermediate(*p.plan, {1, {-1}, {3}}, {.iterations = 20}, StopToken());
  ASSERT_TRUE(crown.ok() && alpha.ok());
  EXPECT_NEAR(crown->layers[1].lower[0], -0.6, 1e-9);
  EXPECT_GT(alpha->layers[1].lower[0], -0.15);
  EXPECT_LE(alpha->layers[1].lower[0], -0.1);
}

TEST(IntermediateTest, CancelledSweepsFallBackToIntervals) {
  const Planned p(Forgetful());
  StopSource source;
  source.Cancel();
  const auto bounds = ComputeIntermediate(*p.plan, {1, {1}, {2}}, {}, source.token());
  ASSERT_TRUE(bounds.ok());
  EXPECT_FALSE(bounds->complete);
  ASSERT_EQ(bounds->layers.size(), 2u);
  EXPECT_NEAR(bounds->layers[1].lower[0], -0.5, 1e-12);
  EXPECT_NEAR(bounds->layers[1].upper[0], 1.5, 1e-12);
}

TEST(IntermediateTest, APointBoxIsExact) {
  const Planned p(Forgetful());
  const auto bounds = ComputeIntermediate(*p.plan, {1, {0.3}, {0.3}}, {}, StopToken());
  ASSERT_TRUE(bounds.ok());
  EXPECT_NEAR(bounds->layers[0].lower[0], 0.3, 1e-12);
  EXPECT_NEAR(bounds->layers[0].upper[0], 0.3, 1e-12);
}

TEST(IntermediateTest, MemoryThatDoesNotSufficeIsAnError) {
  const ir::Network network = Forgetful();
  auto backend = backend::MakeCpuBackend({.threads = 1, .memory_bytes = 40000});
  ASSERT_TRUE(backend.ok());
  auto plan = Plan::Make(network, **backend);
  ASSERT_TRUE(plan.ok()) << plan.status();
  InputBoxes boxes;
  boxes.domains = 2000;
  boxes.lower.assign(2000, -1);
  boxes.upper.assign(2000, 1);
  const auto bounds = ComputeIntermediate(**plan, boxes, {}, StopToken());
  EXPECT_EQ(bounds.status().code(), absl::StatusCode::kResourceExhausted) << bounds.status();
}

}  // namespace
}  // namespace espalier::bounds
