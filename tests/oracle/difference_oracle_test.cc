// Difference bounds of tiny networks against the exact maximum: found <= maximum <= bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/oracle/oracle.h"
#include "tests/property/random_network.h"
#include "verifier/graft/compare.h"

namespace espalier {
namespace {

// max over the box and the outputs of |difference|, by linear programs over all activation patterns.
double ExactMaximum(const ir::Network& difference, const api::Box& box) {
  api::Property property;
  property.input_size = difference.input_size();
  property.output_size = difference.output_size();
  property.boxes = {box};
  for (int32_t j = 0; j < static_cast<int32_t>(property.output_size); ++j) {
    for (double sign : {1.0, -1.0}) {
      api::LinearRow row;
      row.output = {{j, sign}};
      property.disjuncts.push_back({0, {row}});
    }
  }
  const auto answer = oracle::DecideProperty(difference, property);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? std::max(0.0, -answer->margin) : std::numeric_limits<double>::quiet_NaN();
}

// The same network with some kinks made lines and all biases shifted: as grafting leaves it.
ir::Network Grafted(testing::Random& random, ir::Network network, double shift) {
  for (ir::NetworkNode& node : network.nodes) {
    for (double& b : node.bias) b += shift * random.Normal();
    for (size_t i = 0; i < node.hinge.left.size(); ++i) {
      if (!random.Chance(0.4)) continue;
      node.hinge.left[i] = node.hinge.right[i] = random.Uniform(0, 1);
      node.hinge.intercept[i] = random.Uniform(-0.2, 0.2);
    }
  }
  return network;
}

TEST(DifferenceOracle, ExactMaximumLiesBetweenFoundAndBound) {
  const auto backend = *backend::MakeCpuBackend({.threads = 1});
  double found_sum = 0, exact_sum = 0, bound_sum = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    testing::Random random(seed);
    const testing::NetworkShape shape{
        .inputs = random.Int(1, 4), .outputs = random.Int(1, 3), .layers = 2, .width = 4, .max_hinges = 6};
    const ir::Network base = testing::RandomNetwork(random, shape);
    const ir::Network other = seed % 3 == 0 ? testing::RandomNetwork(random, shape)
                                            : Grafted(random, base, seed % 3 == 1 ? 0.0 : 0.05);
    Dataset data;
    data.shape = {base.input_size()};
    std::vector<float> centre;
    for (int64_t j = 0; j < base.input_size(); ++j)
      centre.push_back(static_cast<float>(random.Uniform(-1, 1)));
    data.values = centre;
    data.labels = {0};
    api::Box box;
    const double epsilon = random.Uniform(0.05, 0.6);
    for (float v : centre) {
      box.lower.push_back(std::max(-1.0, static_cast<double>(v) - epsilon));
      box.upper.push_back(std::min(1.0, static_cast<double>(v) + epsilon));
    }
    const auto difference = graft::DifferenceNetwork(base, other);
    ASSERT_TRUE(difference.ok()) << difference.status();
    const double exact = ExactMaximum(*difference, box);
    const auto compared = graft::CompareNetworks(base, other, Samples{&data, {0}},
                                                 {.epsilon = epsilon, .low = -1, .high = 1, .samples = 1},
                                                 *backend, StopToken());
    ASSERT_TRUE(compared.ok()) << compared.status();
    // Linear programs are solved to about 1e-9.
    EXPECT_LE(compared->found[0], exact + 1e-7);
    EXPECT_GE(compared->bound[0], exact - 1e-7);
    found_sum += compared->found[0];
    exact_sum += exact;
    bound_sum += compared->bound[0];
  }
  EXPECT_GE(found_sum, 0.95 * exact_sum);  // the search is worth its name
  EXPECT_LE(bound_sum, 1.3 * exact_sum);   // and so are the bounds
  RecordProperty("found_over_exact", absl::StrCat(found_sum / exact_sum));
  RecordProperty("bound_over_exact", absl::StrCat(bound_sum / exact_sum));
  std::printf("found %.4f, bound %.4f of the exact maximum\n", found_sum / exact_sum, bound_sum / exact_sum);
}

}  // namespace
}  // namespace espalier
