#include "verifier/search/split_experience.h"

#include <algorithm>
#include <cmath>

namespace espalier::search {
namespace {

constexpr double kLeastGain = 1e-3;

}  // namespace

double SplitExperience::Expected(const Candidate& candidate) const {
  const auto layer = layers_.find(candidate.layer);
  if (layer == layers_.end()) return candidate.score;
  return candidate.score * std::exp(layer->second.log_factor / layer->second.trials);
}

std::vector<Candidate>::iterator SplitExperience::Best(std::vector<Candidate>& candidates, bool first) const {
  const auto worse = [&](const Candidate& x, const Candidate& y) {
    const bool known_x = layers_.contains(x.layer), known_y = layers_.contains(y.layer);
    return known_x != known_y ? known_x != first : Expected(x) < Expected(y);
  };
  return std::max_element(candidates.begin(), candidates.end(), worse);
}

void SplitExperience::Note(const Candidate& candidate, double log_roots) {
  const double gain = std::max(kLeastGain, 1 / std::max(log_roots, 1.0));
  Layer& layer = layers_[candidate.layer];
  layer.log_factor += std::log(gain / static_cast<double>(candidate.score));
  ++layer.trials;
}

}  // namespace espalier::search
