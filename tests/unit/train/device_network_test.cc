#include "verifier/train/device_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/train/toy_problem.h"
#include "verifier/train/batch.h"
#include "verifier/train/parameters.h"

namespace espalier::train {
namespace {

constexpr int64_t kRows = 3;

// sum over rows and outputs of weight * logit, in double on the host: linear in the logits, so that its
// derivatives are those of the network alone.
double Weighted(const ir::Network& network, const Batch& batch, const std::vector<float>& weight) {
  double sum = 0;
  for (int64_t r = 0; r < batch.rows; ++r) {
    const auto begin = batch.x.begin() + r * network.input_size();
    const std::vector<double> x(begin, begin + network.input_size());
    const auto values = ir::EvaluateNodes(network, x);
    const std::vector<double>& logits = values[static_cast<size_t>(network.output)];
    for (size_t c = 0; c < logits.size(); ++c) {
      sum += static_cast<double>(weight[static_cast<size_t>(r) * logits.size() + c]) * logits[c];
    }
  }
  return sum;
}

class DeviceNetworkTest : public ::testing::TestWithParam<bool> {
 protected:
  DeviceNetworkTest() : network_(GetParam() ? ResidualNetwork(5) : SmallNetwork(5)) {
    GraftEvery(network_, 3, 0.4, -0.1);
    BatchReader(network_, data_).Read(AllOf(data_).order, 0, kRows, batch_);
    for (int64_t i = 0; i < kRows * 3; ++i) weight_.push_back(0.3f + 0.2f * static_cast<float>(i % 5));
  }

  // One forward and backward pass; a step with rate 1, no momentum and no decay moves every parameter by
  // minus its gradient.
  ir::Network AfterUnitStep(DeviceNetwork& device) {
    auto x = backend::Allocate<float>(*backend_, static_cast<int64_t>(batch_.x.size()));
    auto g = backend::Allocate<float>(*backend_, static_cast<int64_t>(weight_.size()));
    backend_->Upload(batch_.x.data(), static_cast<int64_t>(batch_.x.size() * 4), x->data());
    backend_->Upload(weight_.data(), static_cast<int64_t>(weight_.size() * 4), g->data());
    device.Forward(kRows, x->data());
    device.Backward(kRows, g->data(), {.weights = true, .input = true});
    device.Descend({{1.0f, 0.0f, 0.0f}, {1.0f, 0.0f, 0.0f}});
    EXPECT_TRUE(backend_->Synchronise().ok());
    return device.ToNetwork();
  }

  std::unique_ptr<backend::Backend> backend_ = OneThread();
  Dataset data_ = StripeData(kRows, 9);
  ir::Network network_;
  Batch batch_;
  std::vector<float> weight_;
};

TEST_P(DeviceNetworkTest, LogitsAreTheNetworks) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(device.ok()) << device.status();
  auto x = backend::Allocate<float>(*backend_, static_cast<int64_t>(batch_.x.size()));
  backend_->Upload(batch_.x.data(), static_cast<int64_t>(batch_.x.size() * 4), x->data());
  (*device)->Forward(kRows, x->data());
  const std::vector<float> logits = Download(*backend_, (*device)->logits(), kRows * 3);
  for (size_t k = 0; k < logits.size(); ++k) {
    std::vector<float> one(logits.size(), 0.0f);
    one[k] = 1;
    EXPECT_NEAR(static_cast<double>(logits[k]), Weighted(network_, batch_, one), 1e-4);
  }
}

// `network` moved by t times the way to `stepped`; adds up the squared length of the way, counting tied
// parameters once.
ir::Network PartWay(const ir::Network& network, const ir::Network& stepped, double t, double& squared) {
  ir::Network between = network;
  squared = 0;
  const auto mix = [&](std::vector<double>& value, const std::vector<double>& to, bool count) {
    for (size_t i = 0; i < value.size(); ++i) {
      const double d = to[i] - value[i];
      if (count) squared += d * d;
      value[i] += t * d;
    }
  };
  for (size_t id = 0; id < between.nodes.size(); ++id) {
    ir::NetworkNode& node = between.nodes[id];
    const ir::NetworkNode& to = stepped.nodes[id];
    for (size_t k = 0; k < node.terms.size(); ++k) {
      ir::LinearMap map = *node.terms[k].map;
      if (auto* dense = std::get_if<ir::DenseMap>(&map)) {
        mix(dense->weights, std::get<ir::DenseMap>(*to.terms[k].map).weights, true);
      }
      if (auto* conv = std::get_if<ir::ConvMap>(&map)) {
        mix(conv->kernel, std::get<ir::ConvMap>(*to.terms[k].map).kernel, true);
      }
      node.terms[k].map = std::make_shared<ir::LinearMap>(std::move(map));
    }
    // A channel's bias is one parameter, at every position of the image.
    const double before = squared;
    mix(node.bias, to.bias, true);
    if (node.image.c > 0) {
      squared = before + (squared - before) / static_cast<double>(node.image.h * node.image.w);
    }
    mix(node.hinge.left, to.hinge.left, false);  // both slopes of a line are one parameter
    mix(node.hinge.right, to.hinge.right, true);
    mix(node.hinge.intercept, to.hinge.intercept, true);
  }
  return between;
}

// Along the step d that training took, the derivative of the weighted sum must be -|d|^2.
TEST_P(DeviceNetworkTest, StepFollowsTheGradient) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(device.ok()) << device.status();
  const ir::Network stepped = AfterUnitStep(**device);
  double squared = 0;
  constexpr double kT = 1e-6;
  const double up = Weighted(PartWay(network_, stepped, kT, squared), batch_, weight_);
  const double down = Weighted(PartWay(network_, stepped, -kT, squared), batch_, weight_);
  EXPECT_GT(squared, 0.1);
  EXPECT_NEAR((up - down) / (2 * kT), -squared, 2e-3 * squared);
}

constexpr float kRadius = 0.03f;

// Worst logits over boxes of kRadius around the batch.
std::vector<float> WorstLogits(const ir::Network& network, const Batch& batch, backend::Backend& backend,
                               float radius = kRadius) {
  auto device = DeviceNetwork::Make(network, backend, kRows, /*boxes=*/true);
  auto x = backend::Allocate<float>(backend, static_cast<int64_t>(batch.x.size()));
  auto label = backend::Allocate<int32_t>(backend, kRows);
  backend.Upload(batch.x.data(), static_cast<int64_t>(batch.x.size() * 4), x->data());
  backend.Upload(batch.label.data(), kRows * 4, label->data());
  (*device)->ForwardBox(kRows, x->data(), radius, label->data());
  return Download(backend, (*device)->logits(), kRows * 3);
}

TEST_P(DeviceNetworkTest, NoPointOfABoxIsWorseThanItsWorstLogits) {
  const std::vector<float> worst = WorstLogits(network_, batch_, *backend_);
  const std::vector<float> point = WorstLogits(network_, batch_, *backend_, 0.0f);
  uint64_t counter = 0;
  for (int trial = 0; trial < 200; ++trial) {
    for (int64_t r = 0; r < kRows; ++r) {
      std::vector<double> x(static_cast<size_t>(network_.input_size()));
      for (size_t i = 0; i < x.size(); ++i) {
        const bool up = backend::CounterUniform({7, 0}, counter++) < 0.5f;
        x[i] =
            static_cast<double>(batch_.x[static_cast<size_t>(r) * x.size() + i] + (up ? kRadius : -kRadius));
      }
      const auto values = ir::EvaluateNodes(network_, x);
      for (size_t c = 0; c < 3; ++c) {
        const double logit = values[static_cast<size_t>(network_.output)][c];
        const size_t at = static_cast<size_t>(r) * 3 + c;
        const double sign = static_cast<int32_t>(c) == batch_.label[static_cast<size_t>(r)] ? -1 : 1;
        EXPECT_LE(sign * logit, sign * static_cast<double>(worst[at]) + 1e-4);
        EXPECT_GT(sign * static_cast<double>(worst[at] - point[at]), 0);
      }
    }
  }
}

TEST_P(DeviceNetworkTest, StepOnBoxesFollowsTheGradientOfTheWorstLogits) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows, /*boxes=*/true);
  ASSERT_TRUE(device.ok()) << device.status();
  auto x = backend::Allocate<float>(*backend_, static_cast<int64_t>(batch_.x.size()));
  auto g = backend::Allocate<float>(*backend_, static_cast<int64_t>(weight_.size()));
  auto label = backend::Allocate<int32_t>(*backend_, kRows);
  backend_->Upload(batch_.x.data(), static_cast<int64_t>(batch_.x.size() * 4), x->data());
  backend_->Upload(weight_.data(), static_cast<int64_t>(weight_.size() * 4), g->data());
  backend_->Upload(batch_.label.data(), kRows * 4, label->data());
  (*device)->ForwardBox(kRows, x->data(), kRadius, label->data());
  (*device)->BackwardBox(kRows, g->data(), label->data());
  (*device)->Descend({{1.0f, 0.0f, 0.0f}, {1.0f, 0.0f, 0.0f}});
  const ir::Network stepped = (*device)->ToNetwork();
  const auto weighted = [&](double t, double& squared) {
    const std::vector<float> logits = WorstLogits(PartWay(network_, stepped, t, squared), batch_, *backend_);
    double sum = 0;
    for (size_t i = 0; i < logits.size(); ++i)
      sum += static_cast<double>(weight_[i]) * static_cast<double>(logits[i]);
    return sum;
  };
  double squared = 0;
  weighted(0, squared);
  const double t = 2e-3 / std::sqrt(squared);  // float32 logits: a step that they can see
  const double slope = (weighted(t, squared) - weighted(-t, squared)) / (2 * t);
  EXPECT_GT(squared, 0.1);
  EXPECT_NEAR(slope, -squared, 1e-2 * squared);
}

TEST_P(DeviceNetworkTest, InputGradientIsTheDerivative) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(device.ok()) << device.status();
  AfterUnitStep(**device);  // the gradients are those before the step
  const std::vector<float> gradient =
      Download(*backend_, (*device)->input_gradient(), static_cast<int64_t>(batch_.x.size()));
  for (size_t i = 0; i < batch_.x.size(); i += 17) {
    Batch up = batch_, down = batch_;
    up.x[i] += 1e-3f;
    down.x[i] -= 1e-3f;
    const double slope = (Weighted(network_, up, weight_) - Weighted(network_, down, weight_)) /
                         (static_cast<double>(up.x[i]) - static_cast<double>(down.x[i]));
    EXPECT_NEAR(static_cast<double>(gradient[i]), slope, 1e-3 + 1e-3 * std::fabs(slope)) << i;
  }
}

TEST_P(DeviceNetworkTest, OnlyGraftedLinesMove) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(device.ok()) << device.status();
  const ir::Network stepped = AfterUnitStep(**device);
  bool moved = false;
  for (size_t id = 0; id < network_.nodes.size(); ++id) {
    const ir::HingeLayer &before = network_.nodes[id].hinge, &after = stepped.nodes[id].hinge;
    for (size_t i = 0; i < before.left.size(); ++i) {
      if (before.left[i] == before.right[i]) {
        EXPECT_EQ(after.left[i], after.right[i]);
        moved = moved || after.left[i] != before.left[i];
      } else {
        EXPECT_EQ(after.left[i], before.left[i]);
        EXPECT_EQ(after.right[i], before.right[i]);
        EXPECT_EQ(after.intercept[i], before.intercept[i]);
      }
    }
  }
  EXPECT_TRUE(moved);
}

TEST_P(DeviceNetworkTest, StateRestoresEveryParameter) {
  auto device = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(device.ok()) << device.status();
  AfterUnitStep(**device);
  const std::vector<ParameterState> state = (*device)->State();
  auto other = DeviceNetwork::Make(network_, *backend_, kRows);
  ASSERT_TRUE(other.ok() && (*other)->Restore(state).ok());
  const std::vector<ParameterState> again = (*other)->State();
  ASSERT_EQ(again.size(), state.size());
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(again[i].value, state[i].value) << state[i].name;
    EXPECT_EQ(again[i].velocity, state[i].velocity) << state[i].name;
  }
  std::vector<ParameterState> wrong = state;
  wrong.front().value.pop_back();
  EXPECT_EQ((*other)->Restore(wrong).code(), absl::StatusCode::kInvalidArgument);
  wrong = state;
  wrong.pop_back();
  EXPECT_EQ((*other)->Restore(wrong).code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Networks, DeviceNetworkTest, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "residual" : "plain"; });

}  // namespace
}  // namespace espalier::train
