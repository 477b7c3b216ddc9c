// Merging linear slots of a compact network changes its entries, not what it computes.
#include "verifier/bounds/compact_merge.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"
#include "verifier/bounds/compact.h"

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
        value += static_cast<double>(stage.rows.value[static_cast<size_t>(k)]) *
                 slot[static_cast<size_t>(stage.rows.column[static_cast<size_t>(k)])];
      }
      slot[static_cast<size_t>(stage.begin) + r] = value;
    }
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const auto line = static_cast<size_t>(stage.first_unstable) + j;
      const double z = slot[static_cast<size_t>(stage.source[j])];
      slot[static_cast<size_t>(stage.begin) + j] =
          z * static_cast<double>(z < 0 ? network.lines.left[line] : network.lines.right[line]);
    }
  }
  return slot;
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
        ASSERT_NEAR(got, wanted[j], 1e-4 * (1 + std::fabs(wanted[j]))) << "output " << j;
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

}  // namespace
}  // namespace espalier::testing
