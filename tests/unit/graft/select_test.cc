#include "verifier/graft/select.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/graft/graft_network.h"

namespace espalier::graft {
namespace {

// Two activation layers of four and two neurons; the weights do not matter.
ir::Network SixNeurons() {
  return ReluNetwork(
      1, {{{{1}, {1}, {1}, {1}}, {0, 0, 0, 0}}, {{{1, 1, 1, 1}, {1, 1, 1, 1}}, {0, 0}}, {{{1, 1}}, {0}}});
}

Scores SixScores() {
  Scores scores;
  scores.instability = {{0.9, 0.1, 0.5, 0.0}, {0.7, 0.3}};
  scores.magnitude = {{0.4, 0.1, 0.9, 0.2}, {0.6, 0.3}};
  scores.gradient = {{0.1, 0.2, 0.3, 0.4}, {0.5, 0.6}};
  scores.looseness = {{0.0, 0.0, 0.0, 5.0}, {0.0, 4.0}};
  scores.cost = {{0.01, 0.02, 0.03, 0.04}, {0.05, 0.06}};
  return scores;
}

using M = Mask;

TEST(AverageRanksTest, TiesShareTheirMeanRank) {
  EXPECT_EQ(AverageRanks({30, 10, 20}), (std::vector<double>{1, 0, 0.5}));
  EXPECT_EQ(AverageRanks({5, 1, 5, 5, 0}), (std::vector<double>{0.75, 0.25, 0.75, 0.75, 0}));
  EXPECT_EQ(AverageRanks({2, 2, 2}), (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_EQ(AverageRanks({7}), (std::vector<double>{0}));
  EXPECT_TRUE(AverageRanks({}).empty());
}

TEST(AverageRanksTest, NanRanksHighest) {
  EXPECT_EQ(AverageRanks({NAN, 3, INFINITY}), (std::vector<double>{1, 0, 0.5}));
}

// Ranks in fifths: instability 5 1 3 0 | 4 2, magnitude 3 0 5 1 | 4 2; differences 2 1 -2 -1 | 0 0.
TEST(SelectNeuronsTest, RanksOfAllLayersTogether) {
  SelectSettings settings{
      .ratio = 1.0 / 3, .significance = Significance::kMagnitude, .instability_weight = 1};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, true, false, false}, {false, false}}));
}

TEST(SelectNeuronsTest, TiesGoInNeuronOrder) {
  SelectSettings settings{.ratio = 0.5, .significance = Significance::kMagnitude, .instability_weight = 1};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, true, false, false}, {true, false}}));
}

// Twice the instability: 7 2 1 -1 | 4 2.
TEST(SelectNeuronsTest, InstabilityWeight) {
  SelectSettings settings{
      .ratio = 1.0 / 3, .significance = Significance::kMagnitude, .instability_weight = 2};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, false, false, false}, {true, false}}));
}

// Gradient ranks 0 1 2 3 | 4 5: differences 5 0 1 -3 | 0 -3.
TEST(SelectNeuronsTest, GradientAsSignificance) {
  EXPECT_EQ(
      SelectNeurons(SixNeurons(), SixScores(),
                    {.ratio = 1.0 / 3, .significance = Significance::kGradient, .instability_weight = 1}),
      (M{{true, false, true, false}, {false, false}}));
}

// Looseness ranks 1.5 1.5 1.5 5 | 1.5 4: differences 1.5 0.5 -0.5 2 | -2.5 -1.
TEST(SelectNeuronsTest, MarginWeighsLoosenessAgainstCost) {
  const SelectSettings settings{
      .ratio = 1.0 / 3, .significance = Significance::kMargin, .instability_weight = 1};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, false, false, true}, {false, false}}));
}

// Instability ranks 5 1 3 0 | 4 2 against cost ranks 0 1 2 3 | 4 5.
TEST(SelectNeuronsTest, CostAsSignificance) {
  const SelectSettings settings{
      .ratio = 1.0 / 3, .significance = Significance::kCost, .instability_weight = 1};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, false, true, false}, {false, false}}));
}

TEST(SelectNeuronsTest, OneScoreAlone) {
  SelectSettings settings{
      .ratio = 0.5, .significance = Significance::kGradient, .rule = SelectionRule::kInstability};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, false, true, false}, {true, false}}));
  settings.rule = SelectionRule::kSignificance;
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, true, true, false}, {false, false}}));
}

// Four neurons, one with each weight in turn. Significance 3 0 5 1 | 4 2 and instability 5 1 3 0 | 4 2:
// weight 2: 7 2 1 -1 4 2 takes the first; 1.5: . 1.5 -0.5 -1 2 1 the fifth; 1: . 1 -2 -1 . 0 the second;
// 0: . . -5 -1 . -2 the fourth.
TEST(SelectNeuronsTest, WeightsDecayOverTheBudget) {
  SelectSettings settings{
      .ratio = 4.0 / 6, .significance = Significance::kMagnitude, .rule = SelectionRule::kDecayingRanks};
  EXPECT_EQ(SelectNeurons(SixNeurons(), SixScores(), settings),
            (M{{true, true, false, true}, {true, false}}));
}

TEST(SelectNeuronsTest, NothingAndEverything) {
  EXPECT_EQ(CountSelected(SelectNeurons(SixNeurons(), SixScores(), {.ratio = 0})), 0);
  EXPECT_EQ(CountSelected(SelectNeurons(SixNeurons(), SixScores(), {.ratio = 1})), 6);
  EXPECT_EQ(CountSelected(SelectNeurons(SixNeurons(), SixScores(), {.ratio = NAN})), 0);
  EXPECT_EQ(CountSelected(SelectNeurons(SixNeurons(), SixScores(), {.ratio = 0.25})), 2);  // 1.5 rounds up
}

TEST(SelectNeuronsTest, OnlyHingesCountAndAreTaken) {
  ir::Network network = SixNeurons();
  ir::HingeLayer& first = network.nodes[2].hinge;
  first.left[0] = first.right[0] = 0.3;  // a graft: most unstable by its scores
  first.left[3] = first.right[3] = 0;
  for (const SelectionRule rule :
       {SelectionRule::kRanks, SelectionRule::kDecayingRanks, SelectionRule::kRandom,
        SelectionRule::kInstability, SelectionRule::kSignificance}) {
    const Mask all = SelectNeurons(network, SixScores(), {.ratio = 1, .rule = rule});
    EXPECT_EQ(all, (M{{false, true, true, false}, {true, true}}));
    EXPECT_EQ(CountSelected(SelectNeurons(network, SixScores(), {.ratio = 0.5, .rule = rule})), 2);
  }
}

TEST(SelectNeuronsTest, RandomIsRepeatable) {
  std::vector<std::vector<double>> wide(200, {1.0});
  const ir::Network network =
      ReluNetwork(1, {{wide, std::vector<double>(200, 0)}, {{std::vector<double>(200, 1)}, {0}}});
  Scores scores;
  scores.instability = scores.magnitude = scores.gradient = scores.looseness =
      scores.cost = {std::vector<double>(200, 0)};
  SelectSettings settings{.ratio = 0.5, .rule = SelectionRule::kRandom, .seed = 3};
  const Mask first = SelectNeurons(network, scores, settings);
  EXPECT_EQ(first, SelectNeurons(network, scores, settings));
  EXPECT_EQ(CountSelected(first), 100);
  settings.seed = 4;
  EXPECT_NE(first, SelectNeurons(network, scores, settings));
}

}  // namespace
}  // namespace espalier::graft
