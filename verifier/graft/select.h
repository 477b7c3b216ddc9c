// Which neurons to graft: both scores are ranked over all layers together, and the neurons that are most
// unstable for the least significance are taken, so that layers get different shares ("Linearity Grafting",
// Chen et al., ICML 2022, section 3.2).
//
//   Mask mask = SelectNeurons(scores, {.ratio = 0.5}, network);
//
// Deterministic: ranks are averaged over ties, and equal values are taken in neuron order.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/graft/score.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

// [activation][neuron], true: grafted. Neurons that were lines before are never in it.
using Mask = std::vector<std::vector<bool>>;

// What a neuron is worth to the network: its mean |pre-activation|; its mean |gradient|; or what its graft
// costs the loss (Scores::cost). kMargin weighs what a graft gains against what it costs: Scores::looseness
// (how much of the margin's bound the neuron's relaxation gives away) takes the place of the instability in
// every rule below, against the cost. A neuron that is often unstable but hardly moves any margin is then
// left alone, and one whose line fits is taken.
enum class Significance { kMagnitude, kGradient, kMargin, kCost };
enum class SelectionRule {
  kRanks,          // weight * rank(instability) - rank(significance)
  kDecayingRanks,  // the published schedule: weights 2, 1.5, 1, 0, a quarter of the budget each; the ranks
                   // stay those over all hinge neurons
  kInstability,    // the most unstable ones
  kSignificance,   // the least significant ones
  kRandom,
};

struct SelectSettings {
  double ratio = 0.5;  // of all hinge neurons of the network, rounded to the nearest number
  Significance significance = Significance::kMargin;
  SelectionRule rule = SelectionRule::kRanks;
  double instability_weight = 0.5;
  uint64_t seed = 0;  // of kRandom
};

// `scores` are of this network. NaN scores rank highest.
Mask SelectNeurons(const ir::Network& network, const Scores& scores, const SelectSettings& settings);

int64_t CountSelected(const Mask& mask);

// Ranks in [0,1], averaged over ties: 0 the smallest value, 1 the largest.
std::vector<double> AverageRanks(const std::vector<double>& values);

}  // namespace espalier::graft
