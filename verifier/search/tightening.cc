#include "verifier/search/tightening.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/box_work.h"
#include "verifier/search/input_influence.h"

namespace espalier::search {
namespace {

constexpr int64_t kPasses = 3;  // the bounds are there already: their shares are asked for

using Gains = bounds::NeuronGains;

// What the margins owe to each neuron's own lines.
Gains OfMargins(const PartRoot& part) {
  Gains gains;
  for (const bounds::LayerBox& box : part.root.bounds.layers) gains.emplace_back(box.lower.size(), 0.0);
  for (const Domain& domain : part.open) {
    const double missing = std::max(-domain.bound, 1e-9);
    for (const Candidate& c : domain.candidates) {
      const std::vector<int32_t>& unstable = part.root.relaxation64.unstable(c.layer);
      gains[static_cast<size_t>(c.layer)][static_cast<size_t>(unstable[static_cast<size_t>(c.unstable)])] +=
          static_cast<double>(c.score) / missing;
    }
  }
  return gains;
}

// A bound that moves takes its share of the neuron's looseness -l·u / (u - l) along: for the upper one
// d log(looseness) / d log(u) = -l / (u - l), for the lower one the same with u.
void HandBack(const std::vector<bounds::BoundShare>& shares, const std::vector<bounds::LayerBox>& layers,
              Gains& gains) {
  for (auto share = shares.rbegin(); share != shares.rend(); ++share) {  // later layers first
    const bounds::LayerBox& box = layers[static_cast<size_t>(share->activation)];
    const auto i = static_cast<size_t>(share->neuron);
    const double gain = gains[static_cast<size_t>(share->activation)][i];
    const double l = box.lower[i], u = box.upper[i], moves = share->upper ? u : -l,
                 other = share->upper ? -l : u;
    if (!(gain > 0) || !(moves > 0) || !(other > 0)) continue;
    for (const bounds::BoundShare::Part& p : share->parts) {
      const double closer = std::min(1.0, static_cast<double>(p.score) / moves);
      gains[static_cast<size_t>(p.activation)][static_cast<size_t>(p.neuron)] +=
          gain * closer * other / (moves + other);
    }
  }
}

// The first `count` of `own`, by score.
void AppendBest(std::vector<Candidate> own, size_t count, std::vector<Candidate>& best) {
  const size_t kept = std::min(count, own.size());
  std::partial_sort(own.begin(), own.begin() + static_cast<int64_t>(kept), own.end(),
                    [](const Candidate& x, const Candidate& y) { return x.score > y.score; });
  best.insert(best.end(), own.begin(), own.begin() + static_cast<int64_t>(kept));
}

// Inputs whose interval can be halved, with their shares of the gains.
absl::StatusOr<std::vector<Candidate>> InputSplits(Run& run, const PartRoot& part, Gains gains) {
  const bounds::InputBoxes& boxes = part.root.bounds.boxes;
  InfluenceQuery query;
  query.layers = &part.root.bounds;
  query.looseness = std::move(gains);
  for (size_t i = 0; i < boxes.lower.size(); ++i) {
    const double low = boxes.lower[i], high = boxes.upper[i], middle = 0.5 * low + 0.5 * high;
    if (!(middle > low && middle < high)) continue;
    query.domain.push_back(0);
    query.input.push_back(static_cast<int32_t>(i));
    query.width.push_back(static_cast<float>(high - low));
    if (static_cast<int64_t>(query.input.size()) > kMaxFreeInputs) return std::vector<Candidate>();
  }
  const absl::StatusOr<std::vector<double>> share = InputInfluence(run.plan, query);
  std::vector<Candidate> inputs;
  if (bounds::DoWithout(share.status())) return inputs;  // without them there are neurons
  ESPALIER_RETURN_IF_ERROR(share.status());
  for (size_t k = 0; k < share->size(); ++k) {
    if ((*share)[k] > 0) inputs.push_back({kInputLayer, query.input[k], static_cast<float>((*share)[k])});
  }
  return inputs;
}

}  // namespace

absl::StatusOr<bounds::NeuronGains> LoosenessGains(Run& run, const PartRoot& part) {
  bounds::DomainBounds bounds = part.root.bounds;
  std::vector<bounds::BoundShare> shares;
  bounds::RefineSettings settings;
  settings.iterations = kPasses;
  settings.sides = SidesOf(part.root, part.open[0]);
  settings.from = part.root.left.get();
  settings.shares = &shares;
  const absl::Status status = bounds::RefineBounds(run.plan, settings, run.stop, bounds);
  if (!bounds::DoWithout(status)) ESPALIER_RETURN_IF_ERROR(status);
  Gains gains = OfMargins(part);
  HandBack(shares, part.root.bounds.layers, gains);
  for (const bounds::NeuronSide& side : settings.sides)
    gains[static_cast<size_t>(side.activation)][static_cast<size_t>(side.neuron)] = 0;
  const auto targets = static_cast<double>(part.open.size());
  for (std::vector<double>& layer : gains) {
    for (double& gain : layer) gain /= targets;
  }
  return gains;
}

absl::StatusOr<std::vector<Candidate>> TighteningSplits(Run& run, const PartRoot& part, size_t count,
                                                        bool inputs) {
  ESPALIER_ASSIGN_OR_RETURN(Gains gains, LoosenessGains(run, part));
  std::vector<Candidate> best;
  for (size_t a = 0; a < gains.size(); ++a) {
    const std::vector<int32_t>& unstable = part.root.relaxation64.unstable(static_cast<int>(a));
    std::vector<Candidate> own;
    for (size_t j = 0; j < unstable.size(); ++j) {
      const double gain = gains[a][static_cast<size_t>(unstable[j])];
      if (gain > 0)
        own.push_back({static_cast<int16_t>(a), static_cast<int32_t>(j), static_cast<float>(gain)});
    }
    AppendBest(std::move(own), count, best);
  }
  if (!inputs) return best;
  ESPALIER_ASSIGN_OR_RETURN(std::vector<Candidate> own, InputSplits(run, part, std::move(gains)));
  AppendBest(std::move(own), count, best);
  return best;
}

}  // namespace espalier::search
