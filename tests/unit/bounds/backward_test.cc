// Bounds that can be computed on paper.
#include "verifier/bounds/backward.h"

#include <cmath>

#include "tests/unit/bounds/small_network.h"
#include "verifier/bounds/optimise.h"

namespace espalier::bounds {
namespace {

// y = relu(x) - x / 2 on [-1, 3]; the smallest value is 0, at x = 0.
ir::Network Valley() {
  return DenseNetwork(1, {{{{1}, {1}}, {0, 10}}, {{{1, -0.5}}, {5}}}, {Relu()});
}

TEST(BackwardTest, CrownTakesTheWiderSidesSlope) {
  const Planned p(Valley());
  // relu(x) >= x: y >= x / 2 >= -1/2; chord relu(x) <= 3 (x + 1) / 4: y <= x / 4 + 3/4 <= 3/2.
  const std::vector<double> bounds = p.Rows({1, {-1}, {3}}, {1, -1});
  EXPECT_NEAR(bounds[0], -0.5, 1e-12);
  EXPECT_LE(bounds[0], -0.5);
  EXPECT_NEAR(bounds[1], -1.5, 1e-12);
  EXPECT_LE(bounds[1], -1.5);
}

TEST(BackwardTest, BothSidesOfASymmetricPair) {
  // relu(a + b) - relu(a - b) on [-1, 1]^2 lies in [-2, 2], and CROWN finds exactly that.
  const Planned p(DenseNetwork(2, {{{{1, 1}, {1, -1}}, {0, 0}}, {{{1, -1}}, {0}}}, {Relu()}));
  const std::vector<double> bounds = p.Rows({1, {-1, -1}, {1, 1}}, {1, -1});
  EXPECT_NEAR(bounds[0], -2, 1e-12);
  EXPECT_NEAR(bounds[1], -2, 1e-12);
}

TEST(BackwardTest, ConcaveHingesSwapTheSidesOfTheirLines) {
  // y = min(x, 0) + 0.25 on [-3, 1]: the chord 3/4 (x - 1) lies below; above, the wider side's line y <= x +
  // 0.25.
  const Planned p(DenseNetwork(1, {{{{1}}, {0}}, {{{1}}, {0}}}, {{1, 0, 0.25}}));
  const std::vector<double> bounds = p.Rows({1, {-3}, {1}}, {1, -1});
  EXPECT_NEAR(bounds[0], -2.75, 1e-12);
  EXPECT_NEAR(bounds[1], -1.25, 1e-12);
}

TEST(BackwardTest, GraftsAreExact) {
  const Planned p(DenseNetwork(1, {{{{2}}, {1}}, {{{3}}, {0}}}, {{0.4, 0.4, 0.1}}));
  const std::vector<double> bounds = p.Rows({1, {-1}, {1}}, {1, -1});
  EXPECT_NEAR(bounds[0], 3 * (0.4 * -1 + 0.1), 1e-12);
  EXPECT_NEAR(bounds[1], -3 * (0.4 * 3 + 0.1), 1e-12);
}

struct Optimised {
  OptimiseResult result;
  std::vector<double> certified;
};

Optimised Optimise(const Planned& p, const InputBoxes& boxes, int64_t iterations,
                   const std::function<bool(const std::vector<double>&)>& done = nullptr,
                   StopToken stop = {}) {
  const auto layers = *ComputeIntermediate(*p.plan, boxes, {.intersect_interval = false}, StopToken());
  const auto relaxation32 = *Relaxation<float>::Make(*p.plan, layers.layers, 1);
  const auto relaxation64 = *Relaxation<double>::Make(*p.plan, layers.layers, 1);
  HostRows rows;
  rows.start = p.network.output;
  rows.domain = {0};
  rows.coefficients = {1};
  const auto device = *DeviceRows<float>::Make(*p.plan, rows, boxes);
  BackwardInput<float> in = device.Input(relaxation32);
  Slopes<float> slopes;
  in.slopes = &slopes;
  Optimiser<float> optimiser(*p.plan);
  EXPECT_TRUE(optimiser.StartSlopes(in, slopes).ok());
  Optimised optimised;
  EXPECT_TRUE(optimiser.Run(in, {.iterations = iterations}, done, stop, optimised.result, true).ok());
  optimised.certified =
      *CertifiedBounds({p.plan.get(), &boxes, nullptr, &relaxation64, &layers.magnitudes}, rows, &slopes);
  return optimised;
}

TEST(OptimiseTest, TheBestSlopeIsFound) {
  const Planned p(Valley());
  const Optimised o = Optimise(p, {1, {-1}, {3}}, 20);
  // Slope a gives min (a - 1/2) x: -1/2 at a = 1, best (zero) at a = 1/2; a step of 0.1 and its decay lead
  // there.
  ASSERT_EQ(o.result.trajectory.size(), 20u);
  EXPECT_NEAR(o.result.trajectory[0][0], -0.5, 1e-5);
  EXPECT_NEAR(o.result.trajectory[1][0], -0.4, 1e-5);
  EXPECT_NEAR(o.result.trajectory[2][0], -0.4 + 0.098, 1e-5);
  EXPECT_GT(o.result.best[0], -0.05);
  EXPECT_LE(o.result.best[0], 1e-5);
  EXPECT_NEAR(o.certified[0], o.result.best[0], 1e-5);
  EXPECT_LE(o.certified[0], 0);
}

TEST(OptimiseTest, OneIterationIsPlainCrown) {
  const Planned p(Valley());
  const Optimised o = Optimise(p, {1, {-1}, {3}}, 1);
  EXPECT_NEAR(o.certified[0], -0.5, 1e-9);
}

TEST(OptimiseTest, StopsWhenDoneOrCancelled) {
  const Planned p(Valley());
  const Optimised done =
      Optimise(p, {1, {-1}, {3}}, 50, [](const std::vector<double>& best) { return best[0] > -0.35; });
  EXPECT_EQ(done.result.trajectory.size(), 3u);
  StopSource source;
  source.Cancel();
  const Optimised cancelled = Optimise(p, {1, {-1}, {3}}, 50, nullptr, source.token());
  EXPECT_EQ(cancelled.result.trajectory.size(), 1u);
  EXPECT_NEAR(cancelled.certified[0], -0.5, 1e-9);
}

TEST(CertifiedBoundsTest, OverflowProvesNothing) {
  const Planned p(DenseNetwork(1, {{{{1e200}}, {0}}, {{{1e200}}, {1e300}}}, {Relu()}));
  for (double bound : p.Rows({1, {-1}, {1}}, {1, -1})) EXPECT_EQ(bound, -INFINITY);
}

TEST(CertifiedBoundsTest, RowsWithOffsetAndInputTerms) {
  const Planned p(Valley());
  const InputBoxes boxes{1, {-1}, {3}};
  const auto layers = *ComputeIntermediate(*p.plan, boxes, {}, StopToken());
  const auto relaxation = *Relaxation<double>::Make(*p.plan, layers.layers, 1);
  HostRows rows;
  rows.start = p.network.output;
  rows.domain = {0, 0};
  rows.coefficients = {1, 1};
  rows.input_coefficients = {0, 1};
  rows.offset = {2, 0};
  rows.offset_error = {0, 0.25};
  RowDetails details;
  const auto lower = *CertifiedBounds({p.plan.get(), &boxes, nullptr, &relaxation, &layers.magnitudes}, rows,
                                      nullptr, &details);
  EXPECT_NEAR(lower[0], 1.5, 1e-12);
  EXPECT_NEAR(lower[1], -1.5 - 0.25, 1e-4);  // x + x / 2 at x = -1, and the row's own error
  EXPECT_LE(lower[1], -1.75);
  EXPECT_EQ(details.corner, (std::vector<double>{-1, -1}));
  EXPECT_NEAR(details.input_lambda[0], 0.5, 1e-12);
  EXPECT_NEAR(details.input_lambda[1], 1.5, 1e-12);
}

}  // namespace
}  // namespace espalier::bounds
