// Bounds of a domain that brings sides of neurons hold wherever the neurons are on those sides, and a domain
// that is called empty has no such point.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/property/bounds_cases.h"

namespace espalier::testing {
namespace {

using Values = std::vector<std::vector<double>>;

// Sides of a few neurons, half of them taken from a point of the box, the others at random.
bounds::NeuronSigns RandomSigns(BoundsCase& c, const Values& at) {
  bounds::NeuronSigns signs(c.plan->activation_neurons());
  for (size_t a = 0; a < c.plan->activations().size(); ++a) {
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    for (size_t i = 0; i < at[node].size(); ++i) {
      if (!c.random.Chance(0.3)) continue;
      const bool positive = c.random.Chance(0.9) ? at[node][i] >= 0 : c.random.Chance(0.5);
      signs.Set(c.plan->activation_begin(static_cast<int>(a)) + static_cast<int64_t>(i), positive ? 1 : -1);
    }
  }
  return signs;
}

bool OnSides(const BoundsCase& c, const bounds::NeuronSigns& signs, const Values& values) {
  for (size_t a = 0; a < c.plan->activations().size(); ++a) {
    const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
    for (size_t i = 0; i < values[node].size(); ++i) {
      const int sign = signs.At(c.plan->activation_begin(static_cast<int>(a)) + static_cast<int64_t>(i));
      if (sign * values[node][i] < 0) return false;
    }
  }
  return true;
}

TEST(SignsTest, TwoBitsANeuron) {
  bounds::NeuronSigns signs(11);
  for (int64_t i = 0; i < 11; ++i) signs.Set(i, static_cast<int>(i % 3) - 1);
  for (int64_t i = 0; i < 11; ++i) EXPECT_EQ(signs.At(i), static_cast<int>(i % 3) - 1);
  signs.Set(4, -1);
  EXPECT_EQ(signs.At(3), -1);
  EXPECT_EQ(signs.At(4), -1);
  EXPECT_EQ(signs.At(5), 1);
  EXPECT_EQ(bounds::NeuronSigns().At(7), 0);
}

TEST(SignsTest, BoundsHoldOnTheSidesThatTheDomainBrings) {
  int inside = 0, empty = 0, tighter = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    BoundsCase c(seed);
    std::vector<Values> samples;
    for (const std::vector<double>& point : c.Points(300))
      samples.push_back(ir::EvaluateNodes(c.network, point));
    const bounds::NeuronSigns signs = RandomSigns(c, samples[seed % samples.size()]);
    bounds::IntermediateSettings settings;
    settings.signs = {&signs};
    const bounds::DomainBounds plain = c.Layers({}), layers = c.Layers(settings);
    empty += layers.empty[0];
    for (const Values& values : samples) {
      if (!OnSides(c, signs, values)) continue;
      ++inside;
      ASSERT_FALSE(layers.empty[0]);
      for (size_t a = 0; a < layers.layers.size(); ++a) {
        const auto node = static_cast<size_t>(c.plan->node(c.plan->activations()[a]).predecessor);
        for (size_t i = 0; i < values[node].size(); ++i) {
          ASSERT_LE(layers.layers[a].lower[i], values[node][i]) << "activation " << a << " neuron " << i;
          ASSERT_GE(layers.layers[a].upper[i], values[node][i]) << "activation " << a << " neuron " << i;
        }
      }
    }
    const bounds::LayerBox &last = layers.layers.back(), &before = plain.layers.back();
    for (size_t i = 0; i < last.lower.size(); ++i)
      tighter += last.upper[i] - last.lower[i] < 0.99 * (before.upper[i] - before.lower[i]);
  }
  EXPECT_GT(inside, 1000);
  EXPECT_GT(empty, 5);
  EXPECT_GT(tighter, 100);
}

}  // namespace
}  // namespace espalier::testing
