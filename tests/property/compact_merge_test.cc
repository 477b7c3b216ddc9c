// Merging linear slots of a compact network changes its entries, not what it computes.
#include "verifier/bounds/compact_merge.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/compact_narrow.h"
#include "verifier/ir/entries.h"

namespace espalier::testing {
namespace {

using backend::CompactNetwork;

// Values of all slots, unstable neurons as max(left x, right x).
std::vector<double> Evaluate(const CompactNetwork& network, const std::vector<double>& x) {
  std::vector<double> slot(static_cast<size_t>(network.slots), NAN);
  std::copy(x.begin(), x.end(), slot.begin());
  for (const backend::CompactStage& stage : network.stages) {
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      double value = stage.bias[r];
      for (int64_t k = stage.rows.begin[r]; k < stage.rows.begin[r + 1]; ++k) {
        value += stage.rows.value[static_cast<size_t>(k)] *
                 slot[static_cast<size_t>(stage.rows.column[static_cast<size_t>(k)])];
      }
      slot[static_cast<size_t>(stage.begin) + r] = value;
    }
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const auto line = static_cast<size_t>(stage.first_unstable) + j;
      const double z = slot[static_cast<size_t>(stage.source[j])];
      slot[static_cast<size_t>(stage.begin) + j] =
          z * (z < 0 ? network.lines.left[line] : network.lines.right[line]);
    }
  }
  return slot;
}

// The same in long double, with what each slot may be off by: what its own row says, and what the slots that
// it reads are.
struct Slot {
  long double value = 0;
  double off = 0;
};
std::vector<Slot> EvaluateWithErrors(const CompactNetwork& network, const std::vector<double>& x) {
  std::vector<Slot> slot(static_cast<size_t>(network.slots));
  for (size_t i = 0; i < x.size(); ++i) slot[i].value = static_cast<long double>(x[i]);
  for (const backend::CompactStage& stage : network.stages) {
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      Slot& row = slot[static_cast<size_t>(stage.begin) + r];
      row.value = static_cast<long double>(stage.bias[r]);
      row.off = 0x1p-53 * 1.05 * network.rounding[static_cast<size_t>(stage.begin) + r];
      for (int64_t k = stage.rows.begin[r]; k < stage.rows.begin[r + 1]; ++k) {
        const double weight = stage.rows.value[static_cast<size_t>(k)];
        const Slot& from = slot[static_cast<size_t>(stage.rows.column[static_cast<size_t>(k)])];
        row.value += static_cast<long double>(weight) * from.value;
        row.off += std::fabs(weight) * from.off;
      }
    }
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const auto line = static_cast<size_t>(stage.first_unstable) + j;
      const Slot& from = slot[static_cast<size_t>(stage.source[j])];
      const double left = network.lines.left[line], right = network.lines.right[line];
      slot[static_cast<size_t>(stage.begin) + j] = {
          from.value * static_cast<long double>(from.value < 0 ? left : right),
          from.off * std::max(std::fabs(left), std::fabs(right))};
    }
  }
  return slot;
}

// The whole network in long double.
std::vector<std::vector<long double>> EvaluateExactly(const ir::Network& network,
                                                      const std::vector<double>& x) {
  std::vector<std::vector<long double>> value(network.nodes.size());
  value[0].assign(x.begin(), x.end());
  for (size_t n = 1; n < network.nodes.size(); ++n) {
    const ir::NetworkNode& node = network.nodes[n];
    if (node.kind == ir::NodeKind::kAffine) {
      value[n].assign(node.bias.begin(), node.bias.end());
      for (const ir::AffineTerm& term : node.terms) {
        ir::ForEachEntry(*term.map, [&](double coefficient, int64_t row, int64_t column) {
          value[n][static_cast<size_t>(row)] +=
              static_cast<long double>(coefficient) *
              value[static_cast<size_t>(term.predecessor)][static_cast<size_t>(column)];
        });
      }
      continue;
    }
    const auto& before = value[static_cast<size_t>(node.predecessor)];
    for (size_t i = 0; i < before.size(); ++i) {
      const double slope = before[i] < 0 ? node.hinge.left[i] : node.hinge.right[i];
      value[n].push_back(static_cast<long double>(node.hinge.intercept[i]) +
                         static_cast<long double>(slope) * before[i]);
    }
  }
  return value;
}

// A chain with a wide linear layer between narrow ones, and whatever the random networks have besides.
ir::Network WithLinearLayers(Random& random) {
  NetworkShape shape;
  shape.inputs = random.Int(2, 6);
  shape.layers = random.Int(2, 5);
  shape.width = 14;
  shape.max_hinges = random.Int(0, 12);
  return RandomNetwork(random, shape);
}

TEST(CompactMergeTest, TheMergedNetworkComputesTheSame) {
  int64_t merged = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    BoundsCase c(random, WithLinearLayers(random), 0.5);
    const bounds::DomainBounds layers = c.Layers({});
    const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
    const std::optional<CompactNetwork> network =
        bounds::MakeCompactNetwork(*c.plan, layers.boxes, layers.layers, relaxation, int64_t{1} << 30);
    ASSERT_TRUE(network.has_value());
    // What the whole network computes.
    for (const std::vector<double>& x : c.Points(30)) {
      const auto values = ir::EvaluateNodes(c.network, x);
      const std::vector<double>& wanted = values[static_cast<size_t>(c.network.output)];
      const std::vector<double> slots = Evaluate(*network, x);
      for (size_t j = 0; j < wanted.size(); ++j) {
        const double got = slots[static_cast<size_t>(network->first_output) + j];
        ASSERT_NEAR(got, wanted[j], 1e-10 * (1 + std::fabs(wanted[j]))) << "output " << j;
      }
    }
    // Nothing is left to gain, every stage reads only earlier slots, and slots are numbered without a gap.
    CompactNetwork again = *network;
    bounds::MergeLinearSlots(again);
    ASSERT_LE(again.work(), network->work());
    int32_t next = network->inputs;
    for (const backend::CompactStage& stage : network->stages) {
      ASSERT_EQ(stage.begin, next);
      for (int32_t column : stage.rows.column) ASSERT_LT(column, stage.begin);
      for (int32_t source : stage.source) ASSERT_LT(source, stage.begin);
      next += stage.size();
    }
    ASSERT_EQ(next, network->slots);
    int64_t live = 0;
    for (const auto& node : c.network.nodes) live += node.kind == ir::NodeKind::kAffine ? node.size : 0;
    merged += network->slots < live;
  }
  EXPECT_GT(merged, 100);
}

TEST(CompactMergeTest, RowsAreOffByNoMoreThanTheySay) {
  int64_t off = 0;
  for (uint64_t seed = 301; seed <= 500; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    BoundsCase c(random, WithLinearLayers(random), 0.5);
    const bounds::DomainBounds layers = c.Layers({});
    const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
    const std::optional<CompactNetwork> network =
        bounds::MakeCompactNetwork(*c.plan, layers.boxes, layers.layers, relaxation, int64_t{1} << 30);
    ASSERT_TRUE(network.has_value());
    for (const std::vector<double>& x : c.Points(20)) {
      const std::vector<long double> wanted =
          EvaluateExactly(c.network, x)[static_cast<size_t>(c.network.output)];
      const std::vector<Slot> slots = EvaluateWithErrors(*network, x);
      for (size_t j = 0; j < wanted.size(); ++j) {
        const Slot& got = slots[static_cast<size_t>(network->first_output) + j];
        ASSERT_LE(static_cast<double>(std::fabs(got.value - wanted[j])), got.off + 1e-18) << "output " << j;
        ASSERT_LE(got.off, 1e-9 * (1 + static_cast<double>(std::fabs(wanted[j])))) << "output " << j;
        off += got.value != wanted[j];
      }
    }
  }
  EXPECT_GT(off, 1000);
}

ir::NetworkNode AffineNode(ir::NodeId from, int64_t rows, int64_t columns, std::vector<double> weights) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.size = rows;
  node.bias.assign(static_cast<size_t>(rows), 0.0);
  node.terms.push_back(
      {from, std::make_shared<ir::LinearMap>(ir::DenseMap{rows, columns, std::move(weights)})});
  return node;
}

ir::NetworkNode LineNode(ir::NodeId from, int64_t size, double left, double right) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kActivation;
  node.size = size;
  node.predecessor = from;
  const auto n = static_cast<size_t>(size);
  node.hinge = {std::vector<double>(n, left), std::vector<double>(n, right), std::vector<double>(n, 0.0)};
  return node;
}

ir::Network Chain(std::vector<ir::NetworkNode> behind) {
  ir::Network network;
  network.nodes.resize(1);
  network.nodes[0].size = 1;
  for (ir::NetworkNode& node : behind) network.nodes.push_back(std::move(node));
  network.output = static_cast<ir::NodeId>(network.nodes.size()) - 1;
  network.input_order = {0};
  return network;
}

// Large numbers that cancel in a line between two others: the sum's bounds say nothing of them, the merged
// row's error has to.
TEST(CompactMergeTest, WhatCancelsInALineIsAccountedFor) {
  constexpr int64_t kTerms = 60;
  Random random(5);
  std::vector<double> first, second;
  double sum = 0;
  for (int64_t k = 0; k + 1 < kTerms; ++k) {
    first.push_back(1e8 * random.Normal());
    second.push_back(random.Normal());
    sum += first.back() * second.back();
  }
  first.push_back(-sum + 0.5);
  second.push_back(1.0);
  std::vector<double> twice = second;  // two rows, so that merging them is worth it
  twice.insert(twice.end(), second.begin(), second.end());
  BoundsCase c(
      Random(6),
      Chain({AffineNode(0, kTerms, 1, first), LineNode(1, kTerms, 1, 1), AffineNode(2, 2, kTerms, twice),
             LineNode(3, 2, 1, 1), AffineNode(4, 1, 2, {0.5, 0.5})}),
      0.5);
  bounds::DomainBounds layers = c.Layers({});
  const double reach = std::max(std::fabs(c.box.lower[0]), std::fabs(c.box.upper[0]));
  layers.layers[1].lower = {-reach, -reach};  // half of the input
  layers.layers[1].upper = {reach, reach};
  const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
  const auto left = bounds::MakeLeftNetwork(*c.plan, layers.boxes, layers.layers, relaxation, nullptr);
  ASSERT_TRUE(left.has_value());
  ASSERT_EQ(left->network.work(), 1);  // all of it is one product
  for (const std::vector<double>& x : c.Points(20)) {
    const Slot got = EvaluateWithErrors(left->network, x)[static_cast<size_t>(left->network.first_output)];
    const long double wanted = EvaluateExactly(c.network, x).back()[0];
    ASSERT_LE(static_cast<double>(std::fabs(got.value - wanted)), got.off);
  }
  EXPECT_GT(left->network.magnitude.back(), 1e8 * reach);
}

// The entries of a narrowed row are products: one more rounding each.
TEST(CompactNarrowTest, RowsThatWereMadeAnewSaySo) {
  BoundsCase c(Random(7),
               Chain({AffineNode(0, 1, 1, {1.0}), LineNode(1, 1, 0.1, 0.3), AffineNode(2, 1, 1, {1.0 / 3})}),
               0.5);
  c.box.lower[0] = -1, c.box.upper[0] = 1;
  bounds::DomainBounds layers = c.Layers({});
  const auto wide = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
  const auto left = bounds::MakeLeftNetwork(*c.plan, layers.boxes, layers.layers, wide, nullptr);
  layers.layers[0].lower[0] = 0;
  const auto narrow = *bounds::Relaxation<double>::Make(*c.plan, layers.layers, 1);
  const auto next = bounds::MakeLeftNetwork(*c.plan, layers.boxes, layers.layers, narrow, &*left);
  ASSERT_TRUE(left.has_value() && next.has_value());
  EXPECT_EQ(next->network.stages.back().rows.value, std::vector<double>{1.0 / 3 * 0.3});
  EXPECT_GE(next->network.rounding.back(),
            left->network.rounding.back() + 2 * left->network.magnitude.back());
}

TEST(ProvedTest, TakesOffWhatMayBeLostAndNothingFromWhatIsNoNumber) {
  backend::CompactClaim claim;
  claim.bound = 1;
  EXPECT_EQ(bounds::Proved(claim, 0), 1);
  EXPECT_LE(bounds::Proved(claim, 0.5), 0.5);
  claim.scale = 0x1p52;
  EXPECT_LE(bounds::Proved(claim, 0), 0.5);
  claim.bound = NAN;
  EXPECT_EQ(bounds::Proved(claim, 0), -INFINITY);
  claim.bound = claim.scale = INFINITY;
  EXPECT_EQ(bounds::Proved(claim, 0), -INFINITY);
}

// Some unstable neurons are put on the side that the first point has them on.
bounds::DomainBounds OnSidesOf(BoundsCase& c, const std::vector<double>& x, bounds::DomainBounds bounds) {
  const auto values = ir::EvaluateNodes(c.network, x);
  for (size_t a = 0; a < bounds.layers.size(); ++a) {
    const ir::NodeId id = c.plan->activations()[a];
    const auto& before = values[static_cast<size_t>(c.plan->node(id).predecessor)];
    for (size_t i = 0; i < before.size(); ++i) {
      bounds::LayerBox& box = bounds.layers[a];
      if (!(box.lower[i] < 0) || !(box.upper[i] > 0) || !c.random.Chance(0.5)) continue;
      (before[i] >= 0 ? box.lower[i] : box.upper[i]) = 0;
    }
  }
  return bounds;
}

bool Inside(BoundsCase& c, const std::vector<bounds::LayerBox>& layers, const std::vector<double>& x) {
  const auto values = ir::EvaluateNodes(c.network, x);
  for (size_t a = 0; a < layers.size(); ++a) {
    const ir::NodeId id = c.plan->activations()[a];
    const auto& before = values[static_cast<size_t>(c.plan->node(id).predecessor)];
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i] < layers[a].lower[i] || before[i] > layers[a].upper[i]) return false;
    }
  }
  return true;
}

// What is left of what is left: the same function where the new bounds hold, in no more entries.
TEST(CompactNarrowTest, ANarrowedNetworkIsRightWhereItsBoundsHold) {
  int64_t inside = 0, fewer = 0;
  for (uint64_t seed = 601; seed <= 800; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    BoundsCase c(random, WithLinearLayers(random), 0.5);
    const bounds::DomainBounds wide = c.Layers({});
    const auto relaxation = *bounds::Relaxation<double>::Make(*c.plan, wide.layers, 1);
    const auto points = c.Points(60);
    std::optional<bounds::LeftNetwork> left =
        bounds::MakeLeftNetwork(*c.plan, wide.boxes, wide.layers, relaxation, nullptr);
    ASSERT_TRUE(left.has_value());
    bounds::DomainBounds narrow = wide;
    for (int depth = 0; depth < 3; ++depth) {
      narrow = OnSidesOf(c, points[0], narrow);
      const auto now = *bounds::Relaxation<double>::Make(*c.plan, narrow.layers, 1);
      const auto next = bounds::MakeLeftNetwork(*c.plan, narrow.boxes, narrow.layers, now, &*left);
      const auto anew = bounds::MakeLeftNetwork(*c.plan, narrow.boxes, narrow.layers, now, nullptr);
      ASSERT_TRUE(next.has_value() && anew.has_value());
      ASSERT_EQ(next->unstable, anew->unstable);
      ASSERT_EQ(next->network.lines.left, anew->network.lines.left);
      ASSERT_EQ(next->network.lines.chord_intercept, anew->network.lines.chord_intercept);
      ASSERT_LE(next->network.work(), left->network.work());
      fewer += next->network.work() < left->network.work();
      for (const std::vector<double>& x : points) {
        if (!Inside(c, narrow.layers, x)) continue;
        ++inside;
        const auto wanted = EvaluateExactly(c.network, x)[static_cast<size_t>(c.network.output)];
        const std::vector<Slot> slots = EvaluateWithErrors(next->network, x);
        for (size_t j = 0; j < wanted.size(); ++j) {
          const Slot& got = slots[static_cast<size_t>(next->network.first_output) + j];
          ASSERT_LE(static_cast<double>(std::fabs(got.value - wanted[j])), got.off + 1e-18);
          ASSERT_LE(got.off, 1e-9 * (1 + static_cast<double>(std::fabs(wanted[j]))));
        }
      }
      left = next;
    }
  }
  EXPECT_GT(inside, 2000);
  EXPECT_GT(fewer, 100);
}

}  // namespace
}  // namespace espalier::testing
