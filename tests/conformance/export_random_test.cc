// Random networks: what is written computes the same function, and loading it gives the same network.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/conformance/export_compare.h"
#include "tests/property/random_network.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/ops/ops.h"

namespace espalier::testing {
namespace {

void RoundValues(std::vector<double>& values) {
  for (double& v : values) v = static_cast<float>(v);
}

void RoundMap(ir::LinearMap& map) {
  if (auto* scale = std::get_if<ir::ScaleMap>(&map)) RoundValues(scale->scale);
  if (auto* dense = std::get_if<ir::DenseMap>(&map)) RoundValues(dense->weights);
  if (auto* conv = std::get_if<ir::ConvMap>(&map)) RoundValues(conv->kernel);
  if (auto* sparse = std::get_if<ir::SparseMap>(&map)) RoundValues(sparse->value);
}

// The network with every coefficient a float32 number, and every kink one that can be written exactly: slopes
// as multiples of 2^-10.
ir::Network Rounded(ir::Network network) {
  for (ir::NetworkNode& node : network.nodes) {
    RoundValues(node.bias);
    RoundValues(node.hinge.intercept);
    for (auto* slopes : {&node.hinge.left, &node.hinge.right}) {
      for (double& s : *slopes) s = std::round(s * 1024) / 1024;
    }
    for (ir::AffineTerm& term : node.terms) {
      ir::LinearMap map = *term.map;
      RoundMap(map);
      term.map = std::make_shared<const ir::LinearMap>(std::move(map));
    }
  }
  return network;
}

absl::StatusOr<ir::Graph> WrittenGraph(const ir::Network& network) {
  ESPALIER_ASSIGN_OR_RETURN(const std::string bytes, formats::WriteOnnx(network, {}));
  ESPALIER_ASSIGN_OR_RETURN(ir::Graph graph, formats::ReadOnnx(bytes));
  ESPALIER_ASSIGN_OR_RETURN(const auto unsupported, ops::Prepare(graph));
  if (!unsupported.empty()) return absl::InternalError(unsupported.front().reason);
  return graph;
}

void ExpectSameFunction(Random& random, const ir::Network& network, const ir::Graph& graph) {
  for (int sample = 0; sample < 5; ++sample) {
    const std::vector<double> input = random.Normals(network.input_size(), 1.0);
    const auto expected =
        EvaluateNodes(network, StoredOrder(network, input))[static_cast<size_t>(network.output)];
    const auto actual = ops::EvaluateFlat(graph, input, ops::Precision::kFloat64);
    ASSERT_TRUE(actual.ok()) << actual.status();
    ASSERT_EQ(actual->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR((*actual)[i], expected[i], 1e-9 * (1 + std::fabs(expected[i]))) << "output " << i;
    }
  }
}

// Folding makes new coefficients, and what they are rounded to may fold once more (an intercept moves on when
// the line beside it is pruned), so a few rounds are granted until nothing changes any more.
void Check(Random& random, ir::Network network) {
  constexpr int kRounds = 4;
  std::string difference;
  for (int round = 0; round < kRounds; ++round) {
    const auto graph = WrittenGraph(network);
    ASSERT_TRUE(graph.ok()) << graph.status();
    ExpectSameFunction(random, network, *graph);
    auto lowered = ops::Lower(*graph);
    ASSERT_TRUE(lowered.ok()) << lowered.status();
    difference = NetworkDifference(network, *lowered);
    if (difference.empty()) return;
    network = Rounded(*std::move(lowered));
  }
  ADD_FAILURE() << "no fixed point: " << difference;
}

TEST(ExportRandom, DenseNetworks) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const NetworkShape shape{random.Int(1, 6), random.Int(1, 4), random.Int(1, 4), random.Int(1, 8)};
    Check(random, Rounded(RandomNetwork(random, shape)));
    if (HasFailure()) break;
  }
}

TEST(ExportRandom, ImageNetworks) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    ImageNetworkShape shape;
    shape.height = random.Int(1, 6), shape.width = random.Int(1, 6);
    shape.channels = random.Int(1, 3), shape.layers = random.Int(1, 3);
    Check(random, Rounded(RandomImageNetwork(random, shape)));
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace espalier::testing
