#include "verifier/graft/select.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace espalier::graft {
namespace {

struct Neuron {
  size_t activation = 0, index = 0;
};

// Hinge neurons of all layers in one list: the order that ties are broken by.
struct Candidates {
  std::vector<Neuron> neurons;
  Mask mask;  // of the network's shape, all false
};

Candidates CollectHinges(const ir::Network& network) {
  Candidates all;
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind != ir::NodeKind::kActivation) continue;
    const ir::HingeLayer& hinge = node.hinge;
    for (size_t i = 0; i < hinge.left.size(); ++i) {
      if (hinge.left[i] != hinge.right[i]) all.neurons.push_back({all.mask.size(), i});
    }
    all.mask.emplace_back(hinge.left.size(), false);
  }
  return all;
}

std::vector<double> Gather(const PerNeuron& score, const std::vector<Neuron>& at) {
  std::vector<double> values;
  values.reserve(at.size());
  for (const Neuron& n : at) values.push_back(score[n.activation][n.index]);
  return values;
}

// NaN counts as the largest value there is.
bool Below(double a, double b) {
  return a < b || (std::isnan(b) && !std::isnan(a));
}

std::vector<size_t> IndexOrder(size_t count) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

// The `count` largest of `value` that are not taken yet; equal values in index order.
void TakeLargest(const std::vector<double>& value, int64_t count, std::vector<bool>& taken) {
  std::vector<size_t> order = IndexOrder(value.size());
  std::erase_if(order, [&](size_t i) { return taken[i]; });
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return Below(value[b], value[a]); });
  for (size_t k = 0; k < order.size() && k < static_cast<size_t>(count); ++k) taken[order[k]] = true;
}

std::vector<double> Combined(const std::vector<double>& effect, double weight,
                             const std::vector<double>& significance) {
  std::vector<double> value(effect.size());
  for (size_t i = 0; i < value.size(); ++i) value[i] = weight * effect[i] - significance[i];
  return value;
}

// Weights and equal parts of the budget of the published schedule.
void TakeByDecayingWeights(const std::vector<double>& effect, const std::vector<double>& significance,
                           int64_t budget, std::vector<bool>& taken) {
  constexpr double kWeights[] = {2, 1.5, 1, 0};
  constexpr int64_t kParts = 4;
  for (int64_t part = 0; part < kParts; ++part) {
    const int64_t share = budget * (part + 1) / kParts - budget * part / kParts;
    TakeLargest(Combined(effect, kWeights[part], significance), share, taken);
  }
}

const PerNeuron& SignificanceScore(const Scores& scores, Significance significance) {
  switch (significance) {
    case Significance::kMagnitude:
      return scores.magnitude;
    case Significance::kGradient:
      return scores.gradient;
    case Significance::kMargin:
    case Significance::kCost:
      break;
  }
  return scores.cost;
}

std::vector<double> RandomKeys(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);  // its numbers are fixed by the standard
  std::vector<double> keys(count);
  for (double& key : keys) key = static_cast<double>(random() >> 11);
  return keys;
}

}  // namespace

std::vector<double> AverageRanks(const std::vector<double>& values) {
  std::vector<size_t> order = IndexOrder(values.size());
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return Below(values[a], values[b]); });
  std::vector<double> ranks(values.size(), 0);
  if (values.size() < 2) return ranks;
  const auto last = static_cast<double>(values.size() - 1);
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && !Below(values[order[begin]], values[order[end]])) ++end;
    const double average = static_cast<double>(begin + end - 1) / 2;
    for (size_t k = begin; k < end; ++k) ranks[order[k]] = average / last;
  }
  return ranks;
}

Mask SelectNeurons(const ir::Network& network, const Scores& scores, const SelectSettings& settings) {
  Candidates all = CollectHinges(network);
  const auto count = static_cast<double>(all.neurons.size());
  const double ratio = settings.ratio > 0 ? std::min(settings.ratio, 1.0) : 0.0;
  const auto budget = static_cast<int64_t>(std::llround(ratio * count));
  std::vector<bool> taken(all.neurons.size(), false);
  const auto effect = [&] {
    const bool margin = settings.significance == Significance::kMargin;
    return AverageRanks(Gather(margin ? scores.looseness : scores.instability, all.neurons));
  };
  const auto significance = [&] {
    return AverageRanks(Gather(SignificanceScore(scores, settings.significance), all.neurons));
  };
  switch (settings.rule) {
    case SelectionRule::kRanks:
      TakeLargest(Combined(effect(), settings.instability_weight, significance()), budget, taken);
      break;
    case SelectionRule::kDecayingRanks:
      TakeByDecayingWeights(effect(), significance(), budget, taken);
      break;
    case SelectionRule::kInstability:
      TakeLargest(effect(), budget, taken);
      break;
    case SelectionRule::kSignificance:
      TakeLargest(Combined(std::vector<double>(taken.size(), 0), 0, significance()), budget, taken);
      break;
    case SelectionRule::kRandom:
      TakeLargest(RandomKeys(taken.size(), settings.seed), budget, taken);
      break;
  }
  for (size_t k = 0; k < taken.size(); ++k) {
    if (taken[k]) all.mask[all.neurons[k].activation][all.neurons[k].index] = true;
  }
  return all.mask;
}

int64_t CountSelected(const Mask& mask) {
  int64_t count = 0;
  for (const std::vector<bool>& layer : mask) count += std::count(layer.begin(), layer.end(), true);
  return count;
}

}  // namespace espalier::graft
