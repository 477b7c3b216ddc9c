#include "verifier/search/split_ratings.h"

#include <algorithm>
#include <numeric>

namespace espalier::search {
namespace {

constexpr int64_t kByScore = 1;
constexpr int kFewTrials = 8;
constexpr int kMemory = 32;  // trials: domains deeper in the tree are other ones

}  // namespace

const SplitRatings::Rating& SplitRatings::Of(int64_t neuron) const {
  static constexpr Rating kNone;
  return neuron < static_cast<int64_t>(ratings_.size()) ? ratings_[static_cast<size_t>(neuron)] : kNone;
}

std::vector<int> SplitRatings::Select(const std::vector<Candidate>& candidates,
                                      const std::vector<int64_t>& neurons, int64_t count) const {
  std::vector<int> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> expected(candidates.size());
  for (size_t c = 0; c < candidates.size(); ++c) {
    const Rating& rating = Of(neurons[c]);
    const double score = static_cast<double>(candidates[c].score);
    expected[c] = rating.score > 0 ? score * rating.gain / rating.score : 0;
  }
  auto known = order.begin() + std::min<int64_t>(kByScore, static_cast<int64_t>(order.size()));
  const auto unknown = std::find_if(
      known, order.end(), [&](int c) { return Of(neurons[static_cast<size_t>(c)]).trials < kFewTrials; });
  if (unknown != order.end()) known = std::rotate(known, unknown, unknown + 1);
  std::stable_sort(known, order.end(), [&](int x, int y) {
    return expected[static_cast<size_t>(x)] > expected[static_cast<size_t>(y)];
  });
  if (static_cast<int64_t>(order.size()) > count) order.resize(static_cast<size_t>(count));
  return order;
}

void SplitRatings::Note(int64_t neuron, double score, double gain) {
  if (neuron >= static_cast<int64_t>(ratings_.size())) ratings_.resize(static_cast<size_t>(neuron) + 1);
  Rating& rating = ratings_[static_cast<size_t>(neuron)];
  rating.trials = std::min(rating.trials + 1, kMemory);
  rating.score += (score - rating.score) / rating.trials;
  rating.gain += (gain - rating.gain) / rating.trials;
}

}  // namespace espalier::search
