// The certified bound of a difference holds at every point of the box: random pairs of unrelated networks,
// twins with other weights and lines, and one function stored in two input orders.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tests/property/random_network.h"
#include "verifier/graft/compare.h"
#include "verifier/graft/pair_bounds.h"
#include "verifier/ir/compose.h"

namespace espalier::testing {
namespace {

std::vector<double> Output(const ir::Network& network, const std::vector<double>& input) {
  return ir::EvaluateNodes(network, StoredOrder(network, input))[static_cast<size_t>(network.output)];
}

double Difference(const ir::Network& a, const ir::Network& b, const std::vector<double>& input) {
  const std::vector<double> y = Output(a, input), z = Output(b, input);
  double largest = 0;
  for (size_t j = 0; j < y.size(); ++j) largest = std::max(largest, std::fabs(z[j] - y[j]));
  return largest;
}

Dataset OneSample(const std::vector<double>& x) {
  Dataset data;
  data.shape = {static_cast<int64_t>(x.size())};
  data.values = std::vector<float>(x.begin(), x.end());
  data.labels = {0};
  return data;
}

// Weights and biases times 1 + scale * noise; now and then a kink becomes a line.
ir::Network Perturbed(Random& random, ir::Network network, double scale, double lines) {
  for (ir::NetworkNode& node : network.nodes) {
    for (double& b : node.bias) b *= 1 + scale * random.Normal();
    for (ir::AffineTerm& term : node.terms) {
      ir::LinearMap map = *term.map;
      const auto shake = [&](std::vector<double>& values) {
        for (double& v : values) v *= 1 + scale * random.Normal();
      };
      if (auto* dense = std::get_if<ir::DenseMap>(&map)) shake(dense->weights);
      if (auto* conv = std::get_if<ir::ConvMap>(&map)) shake(conv->kernel);
      if (auto* sparse = std::get_if<ir::SparseMap>(&map)) shake(sparse->value);
      term.map = std::make_shared<const ir::LinearMap>(std::move(map));
    }
    for (size_t i = 0; i < node.hinge.left.size(); ++i) {
      if (!random.Chance(lines)) continue;
      node.hinge.left[i] = node.hinge.right[i] = random.Uniform(0, 1);
      node.hinge.intercept[i] = random.Uniform(-0.2, 0.2);
    }
  }
  return network;
}

class DifferenceTest : public ::testing::Test {
 protected:
  // Compares at one sample and holds the bound against sampled points of the box.
  graft::Differences Check(Random& random, const ir::Network& base, const ir::Network& other,
                           double epsilon) {
    std::vector<double> centre;
    for (double v : random.Normals(base.input_size(), 0.5))
      centre.push_back(static_cast<double>(static_cast<float>(v)));
    const graft::CompareSettings settings{
        .epsilon = epsilon, .low = -0.7, .high = 0.9, .samples = 1, .alpha_iterations = random.Int(0, 5)};
    const Dataset data = OneSample(centre);
    const auto differences =
        graft::CompareNetworks(base, other, Samples{&data, {0}}, settings, *backend_, StopToken());
    EXPECT_TRUE(differences.ok()) << differences.status();
    if (!differences.ok()) return {};
    api::Box box;
    for (double v : centre) {
      box.lower.push_back(std::clamp(v - epsilon, settings.low, settings.high));
      box.upper.push_back(std::clamp(v + epsilon, settings.low, settings.high));
    }
    const double bound = differences->bound[0], found = differences->found[0];
    EXPECT_LE(found, bound + 1e-12);
    EXPECT_GE(found, 0);
    for (int point = 0; point < 200; ++point) {
      EXPECT_LE(Difference(base, other, RandomPoint(random, box)), bound + 1e-12);
    }
    return *differences;
  }

  std::unique_ptr<backend::Backend> backend_ = *backend::MakeCpuBackend({.threads = 1});
};

TEST_F(DifferenceTest, BoundHoldsForUnrelatedNetworks) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const NetworkShape shape{
        .inputs = random.Int(1, 5), .outputs = random.Int(1, 4), .layers = random.Int(1, 3)};
    const ir::Network base = RandomNetwork(random, shape), other = RandomNetwork(random, shape);
    Check(random, base, other, random.Uniform(0, 0.8));
  }
}

TEST_F(DifferenceTest, BoundHoldsForTwinsWithOtherWeightsAndLines) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network base =
        seed % 4 == 0
            ? RandomImageNetwork(random, {})
            : RandomNetwork(random, {.inputs = 4, .outputs = 3, .layers = random.Int(1, 4), .width = 8});
    const ir::Network other =
        Perturbed(random, base, std::pow(10, random.Uniform(-6, 0)), random.Chance(0.5) ? 0.3 : 0.0);
    ASSERT_TRUE(graft::AreTwins(base, other));
    if (seed % 2 == 0) {
      Check(random, base, other, random.Uniform(0, 0.5));
    } else {
      Check(random, other, base, random.Uniform(0, 0.5));
    }
  }
}

TEST_F(DifferenceTest, CloseTwinsAreBoundedInProportionToTheirDistance) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network base =
        RandomNetwork(random, {.inputs = 5, .outputs = 3, .layers = 3, .width = 10, .skip = 0});
    const ir::Network other = Perturbed(random, base, 1e-7, 0);
    const graft::Differences differences = Check(random, base, other, 0.3);
    EXPECT_LE(differences.bound[0], 1e-3);
  }
}

TEST_F(DifferenceTest, EqualNetworksDifferByNothing) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network base = RandomNetwork(random, {.inputs = 4, .outputs = 3});
    ir::Network copy = base;
    for (ir::NetworkNode& node : copy.nodes) {
      for (ir::AffineTerm& term : node.terms) term.map = std::make_shared<const ir::LinearMap>(*term.map);
    }
    const graft::Differences differences = Check(random, base, copy, 0.5);
    EXPECT_EQ(differences.bound[0], 0);
    EXPECT_EQ(differences.found[0], 0);
    EXPECT_EQ(differences.disagree, 0);
  }
}

// The same function with its input stored in another order.
ir::Network Reordered(Random& random, const ir::Network& network) {
  const auto n = static_cast<size_t>(network.input_size());
  std::vector<int64_t> position(n);  // old stored index -> new one
  std::iota(position.begin(), position.end(), int64_t{0});
  for (size_t i = n; i > 1; --i) {
    std::swap(position[i - 1], position[static_cast<size_t>(random.Int(0, static_cast<int64_t>(i) - 1))]);
  }
  ir::Network result = network;
  result.nodes[0].image = {};
  for (size_t i = 0; i < n; ++i)
    result.input_order[static_cast<size_t>(position[i])] = network.input_order[i];
  for (ir::NetworkNode& node : result.nodes) {
    for (ir::AffineTerm& term : node.terms) {
      if (term.predecessor != 0) continue;
      ir::SparseMap sparse = ir::ToSparse(*term.map);
      for (int32_t& column : sparse.column)
        column = static_cast<int32_t>(position[static_cast<size_t>(column)]);
      term.map = std::make_shared<const ir::LinearMap>(std::move(sparse));
    }
  }
  return result;
}

TEST_F(DifferenceTest, InputOrdersMayDiffer) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ir::Network base = RandomImageNetwork(random, {});
    const ir::Network other = Reordered(random, base);
    const std::vector<double> point = random.Normals(base.input_size(), 1);
    ASSERT_LE(Difference(base, other, point), 1e-12);
    const auto joined = graft::DifferenceNetwork(base, other);
    ASSERT_TRUE(joined.ok()) << joined.status();
    for (double d : Output(*joined, point)) EXPECT_LE(std::fabs(d), 1e-12);
    const graft::Differences differences = Check(random, base, other, 0.1);
    EXPECT_LE(differences.found[0], 1e-12);
    Check(random, base, Reordered(random, Perturbed(random, base, 0.2, 0.2)), 0.1);
  }
}

}  // namespace
}  // namespace espalier::testing
