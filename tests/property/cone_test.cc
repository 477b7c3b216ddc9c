// A cone computes exactly what the network does, and bounds on cones equal bounds on the whole network.
#include "verifier/ir/cone.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/property/random_network.h"
#include "verifier/backend/backend.h"
#include "verifier/bounds/cone_scope.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/row_bounder.h"

namespace espalier {
namespace {

namespace random_of = ::espalier::testing;
using random_of::Random;

std::vector<double> Gather(const std::vector<double>& from, const std::vector<int32_t>& at) {
  std::vector<double> to;
  for (int32_t i : at) to.push_back(from[static_cast<size_t>(i)]);
  return to;
}

ir::Network MakeNetwork(uint64_t seed) {
  Random random(seed);
  return random_of::RandomImageNetwork(random,
                                       {.height = 9, .width = 8, .channels = 2, .outputs = 3, .layers = 3});
}

// Image-shaped pre-activations with every single-pixel and 2x3 tile.
template <class Visit>
void ForEachTile(const ir::Network& network, Visit visit) {
  for (size_t i = 1; i < network.nodes.size(); ++i) {
    if (network.nodes[i].kind != ir::NodeKind::kActivation) continue;
    const ir::NodeId start = network.nodes[i].predecessor;
    const ir::ImageShape image = ir::ShapeOfNode(network, start);
    for (int64_t top = 0; top < image.h; ++top) {
      for (int64_t left = 0; left < image.w; ++left) {
        visit(start, image, ir::ImageRect{top, top + 1, left, left + 1});
        visit(start, image,
              ir::ImageRect{top, std::min(top + 2, image.h), left, std::min(left + 3, image.w)});
      }
    }
  }
}

TEST(ConeTest, ComputesWhatTheNetworkComputes) {
  int cones = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const ir::Network network = MakeNetwork(seed);
    Random random(seed + 1000);
    const api::Box box = random_of::RandomBox(random, network.input_size());
    const std::vector<double> x = random_of::RandomPoint(random, box);
    const auto values = ir::EvaluateNodes(network, x);
    ForEachTile(network, [&](ir::NodeId start, const ir::ImageShape& image, const ir::ImageRect& rect) {
      const auto cone = ir::ExtractCone(network, start, image, rect);
      if (!cone.has_value()) return;
      ++cones;
      ASSERT_TRUE(ir::CheckNetwork(cone->network).ok()) << ir::CheckNetwork(cone->network);
      const auto inside = ir::EvaluateNodes(cone->network, Gather(x, cone->neurons[0]));
      for (size_t i = 0; i < inside.size(); ++i) {
        if (cone->node[i] < 0) continue;
        const auto expected = Gather(values[static_cast<size_t>(cone->node[i])], cone->neurons[i]);
        for (size_t k = 0; k < expected.size(); ++k) ASSERT_NEAR(inside[i][k], expected[k], 1e-9);
      }
    });
  }
  EXPECT_GT(cones, 1000);
}

// CROWN rows of every neuron of a tile: on the cone as on the whole network, up to the rounding allowances.
TEST(ConeTest, BoundsEqualThoseOfTheNetwork) {
  auto backend = backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0});
  ASSERT_TRUE(backend.ok());
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    const ir::Network network = MakeNetwork(seed);
    Random random(seed + 2000);
    const api::Box box = random_of::RandomBox(random, network.input_size());
    auto plan = bounds::Plan::Make(network, **backend);
    ASSERT_TRUE(plan.ok());
    auto root = bounds::ComputeIntermediate(**plan, {1, box.lower, box.upper}, {}, StopToken());
    ASSERT_TRUE(root.ok());
    auto relaxation = bounds::Relaxation<double>::Make(**plan, root->layers, 1);
    auto relaxation32 = bounds::Relaxation<float>::Make(**plan, root->layers, 1);
    ASSERT_TRUE(relaxation.ok() && relaxation32.ok());
    bounds::RowBounder whole({plan->get(), &root->boxes, &*relaxation32, &*relaxation, &root->magnitudes});
    ForEachTile(network, [&](ir::NodeId start, const ir::ImageShape& image, const ir::ImageRect& rect) {
      auto cone = ir::ExtractCone(network, start, image, rect);
      if (!cone.has_value() || rect.right - rect.left < 2) return;
      bounds::HostRows rows;
      rows.start = start;
      for (int32_t neuron : cone->neurons[static_cast<size_t>(cone->network.output)]) {
        for (double sign : {1.0, -1.0}) {
          rows.domain.push_back(0);
          rows.neuron.push_back(neuron);
          rows.sign.push_back(sign);
        }
      }
      auto scope = bounds::ConeScope::Make(*std::move(cone), **backend, root->boxes, root->layers, **plan);
      ASSERT_TRUE(scope.ok()) << scope.status();
      bounds::RowBounder bounder((*scope)->scope());
      std::vector<double> expected, actual, screened;
      ASSERT_TRUE(whole.Bound(rows, {.iterations = 0}, StopToken(), expected).ok());
      ASSERT_TRUE(bounder.Bound((*scope)->Translate(rows), {.iterations = 0}, StopToken(), actual).ok());
      ASSERT_TRUE(bounder.Screen((*scope)->Translate(rows), StopToken(), screened).ok());
      for (size_t r = 0; r < expected.size(); ++r) {
        const double scale = 1.0 + std::fabs(expected[r]);
        ASSERT_NEAR(actual[r], expected[r], 1e-9 * scale);
        ASSERT_NEAR(screened[r], expected[r], 1e-2 * scale);
      }
    });
  }
}

}  // namespace
}  // namespace espalier
