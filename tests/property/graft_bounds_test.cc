// Scoring bounds samples on cones of the network where that is less work: the same bounds either way.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/property/random_network.h"
#include "verifier/graft/score_bounds.h"

namespace espalier::graft {
namespace {

constexpr int64_t kSamples = 3;

TEST(GraftBoundsTest, ConesGiveTheBoundsOfTheWholeNetwork) {
  const auto backend = *backend::MakeCpuBackend({.threads = 1});
  int64_t compared = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    testing::Random random(seed);
    const ir::Network network =
        testing::RandomImageNetwork(random, {.height = 9, .width = 8, .layers = 3, .max_channels = 4});
    const auto plan = *bounds::Plan::Make(network, *backend);
    SampleBounds whole;
    whole.boxes.domains = kSamples;
    std::vector<float> centres;
    for (int64_t i = 0; i < kSamples * network.input_size(); ++i) {
      const double centre = random.Uniform(-1, 1);
      centres.push_back(static_cast<float>(centre));
      whole.boxes.lower.push_back(centre - 0.05);
      whole.boxes.upper.push_back(centre + 0.05);
    }
    PointValues clean;
    ASSERT_TRUE(PointPass(*plan).Forward(kSamples, centres, clean).ok());
    SampleBounds cones;
    cones.boxes = whole.boxes;
    for (const auto& [flops, bounds] : {std::pair(1e30, &whole), std::pair(0.0, &cones)}) {
      const auto bounder = SampleBounder::Make(*plan, {.cone_flops = flops});
      ASSERT_TRUE(bounder.ok()) << bounder.status();
      ASSERT_TRUE((*bounder)->Run(clean.pre_activations, StopToken(), *bounds).ok());
    }
    ASSERT_EQ(whole.layers.size(), cones.layers.size());
    for (size_t a = 0; a < whole.layers.size(); ++a) {
      for (size_t k = 0; k < whole.layers[a].lower.size(); ++k) {
        EXPECT_NEAR(whole.layers[a].lower[k], cones.layers[a].lower[k], 1e-3) << a << ' ' << k;
        EXPECT_NEAR(whole.layers[a].upper[k], cones.layers[a].upper[k], 1e-3) << a << ' ' << k;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 1000);
}

}  // namespace
}  // namespace espalier::graft
