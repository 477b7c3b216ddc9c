// The generators make what they promise; lowering a random graph keeps its function.
#include "tests/property/random_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/ops/ops.h"

namespace espalier::testing {
namespace {

TEST(RandomNetworkTest, DenseNetworksKeepTheInvariants) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network network = RandomNetwork(random, {.max_hinges = 7});
    ASSERT_TRUE(ir::CheckNetwork(network).ok()) << ir::CheckNetwork(network);
    int64_t hinges = 0;
    for (const ir::NetworkNode& node : network.nodes) hinges += ir::CountHinges(node.hinge);
    ASSERT_LE(hinges, 7);
  }
}

TEST(RandomNetworkTest, ImageNetworksKeepTheInvariants) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network network = RandomImageNetwork(random, {.layers = 3});
    ASSERT_TRUE(ir::CheckNetwork(network).ok()) << ir::CheckNetwork(network);
  }
}

TEST(RandomNetworkTest, TheSeedDecidesEverything) {
  Random first(5), second(5), third(6);
  const auto point = std::vector<double>(3, 0.5);
  const ir::Network a = RandomNetwork(first, {}), b = RandomNetwork(second, {}), c = RandomNetwork(third, {});
  EXPECT_EQ(ir::EvaluateNodes(a, point).back(), ir::EvaluateNodes(b, point).back());
  EXPECT_NE(ir::EvaluateNodes(a, point).back(), ir::EvaluateNodes(c, point).back());
}

TEST(RandomGraphTest, LoweringKeepsTheFunction) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ir::Graph graph = RandomGraph(random, {.inputs = random.Int(1, 4), .layers = random.Int(1, 4)});
    const auto unsupported = ops::Prepare(graph);
    ASSERT_TRUE(unsupported.ok()) << unsupported.status();
    ASSERT_TRUE(unsupported->empty());
    const auto network = ops::Lower(graph);
    ASSERT_TRUE(network.ok()) << network.status();
    ASSERT_TRUE(ir::CheckNetwork(*network).ok()) << ir::CheckNetwork(*network);
    const api::Box box = RandomBox(random, network->input_size());
    for (int i = 0; i < 20; ++i) {
      const std::vector<double> x = RandomPoint(random, box);
      const auto expected = ops::EvaluateFlat(graph, x, ops::Precision::kFloat64);
      ASSERT_TRUE(expected.ok()) << expected.status();
      const std::vector<double> actual =
          ir::EvaluateNodes(*network, StoredOrder(*network, x))[static_cast<size_t>(network->output)];
      ASSERT_EQ(actual.size(), expected->size());
      for (size_t k = 0; k < actual.size(); ++k) ASSERT_NEAR(actual[k], (*expected)[k], 1e-9);
    }
  }
}

}  // namespace
}  // namespace espalier::testing
