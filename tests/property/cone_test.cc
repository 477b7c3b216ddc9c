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

// A node that one consumer needs whole and another needs in part: the part is cut out of the whole. Dense and
// sparse terms keep the rows of the tile alone.
TEST(ConeTest, CutsTilesOutOfNodesThatAreNeededWhole) {
  constexpr int64_t kEdge = 5, kSize = kEdge * kEdge;
  Random random(3);
  ir::ConvMap conv;
  conv.big_h = conv.big_w = conv.small_h = conv.small_w = kEdge;
  conv.big_c = conv.small_c = 1;
  conv.kernel_h = conv.kernel_w = 3;
  conv.pad_top = conv.pad_left = 1;
  conv.kernel = random.Normals(9, 1.0);
  ir::SparseMap sparse{kSize, kSize, {0}, {}, {}};
  for (int32_t r = 0; r < kSize; ++r) {
    for (int32_t column : {r, (r * 7 + 3) % static_cast<int32_t>(kSize)}) {
      sparse.column.push_back(column);
      sparse.value.push_back(random.Normal());
    }
    sparse.row_begin.push_back(static_cast<int64_t>(sparse.column.size()));
  }
  const auto shared = [](auto map) { return std::make_shared<const ir::LinearMap>(std::move(map)); };
  ir::Network network;
  network.nodes.resize(2);
  network.nodes[0].size = kSize;
  for (int32_t i = 0; i < kSize; ++i) network.input_order.push_back(i);
  ir::NetworkNode& sum = network.nodes[1];
  sum.kind = ir::NodeKind::kAffine;
  sum.size = kSize;
  sum.bias = random.Normals(kSize, 1.0);
  sum.terms = {{0, shared(conv)},
               {0, shared(ir::DenseMap{kSize, kSize, random.Normals(kSize * kSize, 1.0)})},
               {0, shared(sparse)}};
  network.output = 1;
  ASSERT_TRUE(ir::CheckNetwork(network).ok()) << ir::CheckNetwork(network);
  const std::vector<double> x = random.Normals(kSize, 1.0), expected = ir::EvaluateNodes(network, x)[1];
  for (int64_t top = 0; top < kEdge; ++top) {
    const auto cone = ir::ExtractCone(network, 1, {kEdge, kEdge, 1}, {top, top + 1, 1, 4});
    ASSERT_TRUE(cone.has_value());
    ASSERT_TRUE(ir::CheckNetwork(cone->network).ok()) << ir::CheckNetwork(cone->network);
    ASSERT_EQ(cone->neurons[0].size(), static_cast<size_t>(kSize));
    const auto output = static_cast<size_t>(cone->network.output);
    const auto actual = ir::EvaluateNodes(cone->network, x)[output];
    const auto wanted = Gather(expected, cone->neurons[output]);
    ASSERT_EQ(actual.size(), 3u);
    for (size_t k = 0; k < wanted.size(); ++k) EXPECT_NEAR(actual[k], wanted[k], 1e-9);
  }
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
