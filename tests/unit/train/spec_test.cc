#include "verifier/train/spec.h"

#include <gtest/gtest.h>

namespace espalier::train {
namespace {

int64_t Hinges(const ir::Network& network) {
  int64_t count = 0;
  for (const ir::NetworkNode& node : network.nodes) count += ir::CountHinges(node.hinge);
  return count;
}

TEST(Spec, NamedArchitecturesHaveThePublishedSizes) {
  const auto cnn_b = BuildNetwork("cnn-b", 1);
  ASSERT_TRUE(cnn_b.ok()) << cnn_b.status();
  EXPECT_EQ(Hinges(cnn_b->network), 16634);
  EXPECT_EQ(cnn_b->input_shape, (Shape{3, 32, 32}));
  const auto big = BuildNetwork("conv-big", 1);
  ASSERT_TRUE(big.ok()) << big.status();
  EXPECT_EQ(Hinges(big->network), 62464);
  for (const NamedSpec& named : NamedSpecs()) {
    const auto built = BuildNetwork(named.name, 1);
    ASSERT_TRUE(built.ok()) << named.name << ": " << built.status();
    EXPECT_EQ(built->network.output_size(), 10) << named.name;
  }
}

TEST(Spec, SeedDecidesTheWeights) {
  const std::string spec = "input 4; fc 3; relu; fc 2";
  const auto weights = [&](uint64_t seed) {
    return std::get<ir::DenseMap>(*BuildNetwork(spec, seed)->network.nodes[1].terms[0].map).weights;
  };
  EXPECT_EQ(weights(1), weights(1));
  EXPECT_NE(weights(1), weights(2));
}

TEST(Spec, AGainScalesTheStart) {
  const auto weights = [&](const std::string& spec) {
    return std::get<ir::DenseMap>(*BuildNetwork(spec, 7)->network.nodes[1].terms[0].map).weights;
  };
  const std::vector<double> plain = weights("input 5; fc 3"), halves = weights("input 5; fc 3 x0.5");
  ASSERT_EQ(plain.size(), halves.size());
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(halves[i], 0.5 * plain[i]);
}

TEST(Spec, ErrorsNameTheLayer) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no such architecture"},
      {"resnet-9000", "first layer must be 'input'"},
      {"input 3x8; fc 2", "one or three sides"},
      {"input 0; fc 2", "out of range"},
      {"input 3x8x8; conv 4 k9; relu; fc 2", "larger than the padded image"},
      {"input 3x8x8; conv 4 q3; fc 2", "'q3' is not"},
      {"input 4; conv 4 k3; fc 2", "needs an image"},
      {"input 4; relu; fc 2", "must follow"},
      {"input 4; fc two", "'two' is not a whole number"},
      {"input 4; fc 2 0.1", "'0.1' is not xG"},
      {"input 4; fc 2 xtiny", "'tiny' is not a number"},
      {"input 4; fc 2 x0", "not positive"},
      {"input 3x4x4; normalise 1,2 / 1,1; fc 2", "expected 3 means"},
      {"input 4; normalise 1,1,1,1 / 1,1,1,0; fc 2", "not positive"},
      {"input 4; fc 3; relu", "last layer must be 'fc'"},
      {"input 4; dropout; fc 3", "not one of"},
      {"input 4; input 4; fc 3", "there is an input already"},
  };
  for (const auto& [spec, message] : cases) {
    const auto built = BuildNetwork(spec, 1);
    EXPECT_EQ(built.status().code(), absl::StatusCode::kInvalidArgument) << spec;
    EXPECT_NE(std::string(built.status().message()).find(message), std::string::npos)
        << spec << ": " << built.status();
  }
}

}  // namespace
}  // namespace espalier::train
