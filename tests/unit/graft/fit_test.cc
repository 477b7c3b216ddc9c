#include "verifier/graft/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/graft/graft_network.h"

namespace espalier::graft {
namespace {

struct Line {
  double slope, intercept;
};

Line LineOf(const ir::Network& network, size_t node, size_t neuron) {
  const ir::HingeLayer& hinge = network.nodes[node].hinge;
  EXPECT_EQ(hinge.left[neuron], hinge.right[neuron]);
  return {hinge.right[neuron], hinge.intercept[neuron]};
}

ir::Network Fitted(const ir::Network& network, const Mask& mask, const Dataset& data,
                   const FitSettings& settings = {}) {
  const auto backend = OneThread();
  auto fitted = FitLines(network, mask, Samples{&data, AllOf(data)}, settings, *backend, StopToken());
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  return *std::move(fitted);
}

// x -> (x, -x, 1) -> ReLU -> sum -> ReLU -> output.
ir::Network ThreeThenOne() {
  return ReluNetwork(1, {{{{1}, {-1}, {0}}, {0, 0, 1}}, {{{1, 1, 1}}, {-2}}, {{{1}}, {0}}});
}

// z = -1 0 1 2: relu 0 0 1 2, means 0.5 and 0.75, covariance 3.5 / 5 of the variance.
TEST(FitLinesTest, LeastSquaresOnTheNeuronsOwnValues) {
  const Dataset data = MakeData(1, {{-1}, {0}, {1}, {2}}, {0, 0, 0, 0});
  const ir::Network fitted = Fitted(ThreeThenOne(), {{true, false, false}, {false}}, data);
  const Line line = LineOf(fitted, 2, 0);
  EXPECT_NEAR(line.slope, 0.7, 1e-7);
  EXPECT_NEAR(line.intercept, 0.4, 1e-7);
  EXPECT_EQ(fitted.nodes[2].hinge.left[1], 0);
  EXPECT_EQ(fitted.nodes[2].hinge.right[1], 1);
  EXPECT_EQ(fitted.nodes[4].hinge.right[0], 1);
}

TEST(FitLinesTest, AConstantNeuronBecomesItsMean) {
  const Dataset data = MakeData(1, {{-1}, {0.1F}, {1}, {2}}, {0, 0, 0, 0});
  const Line line = LineOf(Fitted(ThreeThenOne(), {{false, false, true}, {false}}, data), 2, 2);
  EXPECT_EQ(line.slope, 0);
  EXPECT_EQ(line.intercept, 1);
}

// Neuron 1 is grafted too: relu(-x) becomes -0.3 (-x) ... as its line on -2 -1 0 1 says. The second layer's
// values are then relu(x) + line(-x) + 1 - 2 and its own line is fitted on those.
TEST(FitLinesTest, LaterLayersSeeGraftedInputs) {
  const Dataset data = MakeData(1, {{-1}, {0}, {1}, {2}}, {0, 0, 0, 0});
  const ir::Network fitted = Fitted(ThreeThenOne(), {{false, true, false}, {true}}, data);
  const Line first = LineOf(fitted, 2, 1);
  EXPECT_NEAR(first.slope, 0.3, 1e-7);  // z = 1 0 -1 -2: means -0.5, 0.25; covariance 1.5 of 5
  EXPECT_NEAR(first.intercept, 0.4, 1e-7);
  std::vector<double> z, f;
  for (double x : {-1.0, 0.0, 1.0, 2.0}) {
    z.push_back(std::max(x, 0.0) + 0.3 * -x + 0.4 + 1 - 2);
    f.push_back(std::max(z.back(), 0.0));
  }
  double mz = 0, mf = 0, zz = 0, zf = 0;
  for (size_t k = 0; k < 4; ++k) mz += z[k] / 4, mf += f[k] / 4;
  for (size_t k = 0; k < 4; ++k) zz += (z[k] - mz) * (z[k] - mz), zf += (z[k] - mz) * (f[k] - mf);
  const Line second = LineOf(fitted, 4, 0);
  EXPECT_NEAR(second.slope, zf / zz, 1e-6);
  EXPECT_NEAR(second.intercept, mf - zf / zz * mz, 1e-6);
}

TEST(FitLinesTest, OtherStarts) {
  const Dataset data = MakeData(1, {{-1}, {1}}, {0, 0});
  const Mask mask = {{true, false, true}, {true}};
  const ir::Network pruned = Fitted(ThreeThenOne(), mask, data, {.start = LineStart::kPruned});
  const ir::Network sloped =
      Fitted(ThreeThenOne(), mask, data, {.start = LineStart::kConstantSlope, .constant_slope = 0.5});
  for (const auto& [node, neuron] : {std::pair<size_t, size_t>{2, 0}, {2, 2}, {4, 0}}) {
    EXPECT_EQ(LineOf(pruned, node, neuron).slope, 0);
    EXPECT_EQ(LineOf(pruned, node, neuron).intercept, 0);
    EXPECT_EQ(LineOf(sloped, node, neuron).slope, 0.5);
    EXPECT_EQ(LineOf(sloped, node, neuron).intercept, 0);
  }
  EXPECT_EQ(pruned.nodes[2].hinge.right[1], 1);
}

// Samples are in ONNX order; stored input 0 is ONNX element 1.
TEST(FitLinesTest, SamplesArriveInStoredOrder) {
  ir::Network network = ReluNetwork(2, {{{{1, 0}}, {0}}, {{{1}}, {0}}});
  network.input_order = {1, 0};
  const Dataset data = MakeData(2, {{9, -1}, {-9, 0}, {9, 1}, {9, 2}}, {0, 0, 0, 0});
  EXPECT_NEAR(LineOf(Fitted(network, {{true}}, data), 2, 0).slope, 0.7, 1e-7);
}

// More samples than one batch, of which only the first ones of the order count.
TEST(FitLinesTest, ManyBatches) {
  std::vector<std::vector<float>> samples;
  for (int k = 0; k < 300; ++k) samples.push_back({static_cast<float>(k % 4 - 1)});
  samples.push_back({1000});
  const Dataset data = MakeData(1, samples, std::vector<int32_t>(301, 0));
  const Line line =
      LineOf(Fitted(ThreeThenOne(), {{true, false, false}, {false}}, data, {.samples = 300}), 2, 0);
  EXPECT_NEAR(line.slope, 0.7, 1e-7);
  EXPECT_NEAR(line.intercept, 0.4, 1e-7);
}

TEST(FitLinesTest, Errors) {
  const auto backend = OneThread();
  const Dataset data = MakeData(1, {{1}, {2}}, {0, 0});
  const Mask mask = {{true, false, false}, {false}};
  const auto code = [&](const Mask& m, const Dataset& d, const std::vector<int64_t>& order, StopToken stop) {
    return FitLines(ThreeThenOne(), m, Samples{&d, order}, {}, *backend, stop).status().code();
  };
  EXPECT_EQ(code({{true}}, data, {0}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(mask, data, {0, 2}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(mask, data, {}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(mask, MakeData(2, {{1, 2}}, {0}), {0}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(mask, MakeData(1, {{1}}, {1}), {0}, {}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(mask, MakeData(1, {{NAN}}, {0}), {0}, {}), absl::StatusCode::kInvalidArgument);
  StopSource stop;
  stop.Cancel();
  EXPECT_EQ(code(mask, data, {0}, stop.token()), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace espalier::graft
