#include "tests/unit/train/toy_problem.h"

#include <gtest/gtest.h>

#include <numeric>

#include "verifier/backend/training.h"
#include "verifier/train/spec.h"

namespace espalier::train {

Dataset StripeData(int64_t samples, uint64_t seed) {
  constexpr int64_t kSide = 6, kChannels = 2;
  Dataset data;
  data.shape = {kChannels, kSide, kSide};
  std::vector<float> values;
  const backend::RandomKey key{seed, 1};
  for (int64_t s = 0; s < samples; ++s) {
    const auto label = static_cast<int32_t>(s % 3);
    for (int64_t i = 0; i < kChannels * kSide * kSide; ++i) {
      const int64_t row = i / kSide % kSide;
      const float noise =
          backend::CounterUniform(key, static_cast<uint64_t>(s * kChannels * kSide * kSide + i));
      values.push_back(row / 2 == label ? 0.5f + 0.5f * noise : 0.6f * noise);
    }
    data.labels.push_back(label);
  }
  data.values = std::move(values);
  return data;
}

namespace {
ir::Network Build(const std::string& spec, uint64_t seed) {
  auto built = BuildNetwork(spec, seed);
  EXPECT_TRUE(built.ok()) << built.status();
  return std::move(built->network);
}
}  // namespace

ir::Network SmallNetwork(uint64_t seed) {
  return Build("input 2x6x6; conv 4 k3 s1 p1,0,1,2; relu; fc 8; relu; fc 3", seed);
}

ir::Network ResidualNetwork(uint64_t seed) {
  return Build("input 2x6x6; normalise 0.3,0.4 / 0.2,0.25; conv 3 k3 s2 p1; relu; block 3; block 4 s2; fc 3",
               seed);
}

void GraftEvery(ir::Network& network, size_t step, double slope, double intercept) {
  for (ir::NetworkNode& node : network.nodes) {
    for (size_t i = 0; i < node.hinge.left.size(); i += step) {
      node.hinge.left[i] = node.hinge.right[i] = slope;
      node.hinge.intercept[i] = intercept;
    }
  }
}

std::unique_ptr<backend::Backend> OneThread() {
  auto made = backend::MakeCpuBackend({.threads = 1});
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

Samples AllOf(const Dataset& data) {
  Samples samples{&data, std::vector<int64_t>(static_cast<size_t>(data.size()))};
  std::iota(samples.order.begin(), samples.order.end(), 0);
  return samples;
}

}  // namespace espalier::train
