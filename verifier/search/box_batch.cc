#include "verifier/search/box_batch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"
#include "verifier/search/clip.h"
#include "verifier/search/input_influence.h"

namespace espalier::search {
namespace {

constexpr size_t kMostCandidates = 64;

// Grows [lower, upper] to hold the other box too; an empty one holds nothing.
void Join(const std::vector<double>& other_lower, const std::vector<double>& other_upper,
          std::vector<double>& lower, std::vector<double>& upper) {
  if (lower.empty()) {
    lower = other_lower;
    upper = other_upper;
    return;
  }
  for (size_t k = 0; k < lower.size(); ++k) {
    lower[k] = std::min(lower[k], other_lower[k]);
    upper[k] = std::max(upper[k], other_upper[k]);
  }
}

}  // namespace

BoxBatch::BoxBatch(Run& run, const std::vector<std::vector<int32_t>>& free_inputs,
                   const std::vector<BoxDomain>& domains)
    : run_(run), free_inputs_(free_inputs), domains_(domains), outcomes_(domains.size()) {}

const std::vector<int32_t>& BoxBatch::free(size_t domain) const {
  return free_inputs_[static_cast<size_t>(domains_[domain].box)];
}

bounds::InputBoxes BoxBatch::Expand() const {
  bounds::InputBoxes boxes;
  boxes.domains = static_cast<int64_t>(domains_.size());
  for (size_t d = 0; d < domains_.size(); ++d) {
    const api::Box& whole = run_.problem.boxes[static_cast<size_t>(domains_[d].box)];
    const size_t base = boxes.lower.size();
    boxes.lower.insert(boxes.lower.end(), whole.lower.begin(), whole.lower.end());
    boxes.upper.insert(boxes.upper.end(), whole.upper.begin(), whole.upper.end());
    for (size_t k = 0; k < free(d).size(); ++k) {
      boxes.lower[base + static_cast<size_t>(free(d)[k])] = domains_[d].lower[k];
      boxes.upper[base + static_cast<size_t>(free(d)[k])] = domains_[d].upper[k];
    }
  }
  return boxes;
}

bounds::HostRows BoxBatch::TargetRows(std::vector<PairRows>& pairs) const {
  bounds::HostRows rows;
  rows.start = run_.plan.network().output;
  for (size_t d = 0; d < domains_.size(); ++d) {
    if (layers_.empty[d]) continue;
    for (int32_t t : domains_[d].targets) {
      const Target& target = run_.problem.targets[static_cast<size_t>(t)];
      const auto begin = static_cast<size_t>(rows.count());
      for (int64_t r = 0; r < target.rows; ++r) {
        AppendRow(run_.problem, target, UnitWeights(target, r), static_cast<int32_t>(d),
                  layers_.magnitudes.host(rows.start), rows);
      }
      pairs.push_back({d, t, begin, static_cast<size_t>(rows.count())});
    }
  }
  return rows;
}

// What the bounds say about each neuron's side, for the domain's children.
void BoxBatch::ReadSigns() {
  for (size_t d = 0; d < domains_.size(); ++d) {
    BoxOutcome& outcome = outcomes_[d];
    outcome.signs = bounds::NeuronSigns(run_.plan.activation_neurons());
    for (size_t a = 0; a < layers_.layers.size(); ++a) {
      const ir::HingeLayer& hinge = run_.plan.hinge(static_cast<int>(a));
      const size_t n = hinge.left.size();
      const int64_t first = run_.plan.activation_begin(static_cast<int>(a));
      for (size_t i = 0; i < n; ++i) {
        const double lower = layers_.layers[a].lower[d * n + i], upper = layers_.layers[a].upper[d * n + i];
        const int sign = lower >= 0 ? 1 : upper <= 0 ? -1 : 0;
        if (sign != 0) outcome.signs.Set(first + static_cast<int64_t>(i), sign);
        if (sign == 0 && hinge.left[i] != hinge.right[i]) ++outcome.unstable;
      }
    }
  }
}

absl::Status BoxBatch::Bound() {
  bounds::IntermediateSettings settings;
  for (const BoxDomain& domain : domains_) settings.signs.push_back(&domain.signs);
  ESPALIER_ASSIGN_OR_RETURN(layers_, bounds::ComputeIntermediate(run_.plan, Expand(), settings, run_.stop));
  if (!layers_.complete) return absl::CancelledError("stopped");
  ReadSigns();
  ESPALIER_ASSIGN_OR_RETURN(
      relaxation_, bounds::Relaxation<double>::Make(run_.plan, layers_.layers, layers_.boxes.domains));
  std::vector<PairRows> pairs;
  const bounds::HostRows rows = TargetRows(pairs);
  bounds::RowDetails details;
  details.neurons = true;
  std::vector<double> margin;
  if (rows.count() > 0) {
    const bounds::Scope scope{&run_.plan, &layers_.boxes, nullptr, &relaxation_, &layers_.magnitudes};
    ESPALIER_ASSIGN_OR_RETURN(margin, bounds::CertifiedBounds(scope, rows, nullptr, &details));
  }
  for (BoxOutcome& outcome : outcomes_) outcome.bound = std::numeric_limits<double>::infinity();
  for (const PairRows& pair : pairs) {
    if (run_.stop.StopRequested()) return absl::CancelledError("stopped");
    Digest(pair, margin, details);
  }
  if (candidate_targets_.empty()) return absl::OkStatus();  // nothing is left open
  std::vector<std::vector<double>> looseness = Looseness(details);
  ChooseNeurons(looseness);
  return Influence(std::move(looseness));
}

// The certified affine bound of a row as a function of the free inputs: its constant follows from the
// certified bound, which it attains at its corner.
void BoxBatch::AddPlane(size_t domain, size_t row, const std::vector<double>& margin,
                        const bounds::RowDetails& details, AffineBounds& planes) const {
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  double constant = margin[row], magnitude = std::fabs(margin[row]);
  for (int32_t i : free(domain)) {
    const double slope = details.input_lambda[row * inputs + static_cast<size_t>(i)];
    const double at = slope * details.corner[row * inputs + static_cast<size_t>(i)];
    planes.lambda.push_back(slope);
    constant -= at;
    magnitude += std::fabs(at);
  }
  planes.constant.push_back(constant - bounds::Gamma<double>(static_cast<double>(free(domain).size()) + 8.0) *
                                           magnitude);
  planes.inputs = static_cast<int64_t>(free(domain).size());
  ++planes.rows;
}

// The rows of one (domain, target) pair: its best row, or combination of rows and cuts, decides.
void BoxBatch::Digest(const PairRows& pair, const std::vector<double>& margin,
                      const bounds::RowDetails& details) {
  const BoxDomain& domain = domains_[pair.domain];
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  size_t best = pair.begin;
  for (size_t r = pair.begin; r < pair.end; ++r) {
    if (margin[r] > margin[best]) best = r;
  }
  if (margin[best] > 0) return;
  AffineBounds planes;
  for (size_t r = pair.begin; r < pair.end; ++r) AddPlane(pair.domain, r, margin, details, planes);
  Append(domain.cuts, planes);
  std::vector<double> lower = domain.lower, upper = domain.upper;
  if (!ClipBox(planes, lower, upper)) return;
  Combination combined;
  combined.bound = margin[best];
  combined.weights.assign(static_cast<size_t>(planes.rows), 0.0);
  combined.weights[best - pair.begin] = 1.0;
  std::vector<double> point(details.corner.begin() + static_cast<int64_t>(best * inputs),
                            details.corner.begin() + static_cast<int64_t>((best + 1) * inputs));
  if (planes.rows > 1) {
    Combination several = BestCombination(planes, lower.data(), upper.data(), run_.stop);
    for (size_t k = 0; k < lower.size(); ++k)
      point[static_cast<size_t>(free(pair.domain)[k])] = several.point[k];
    if (several.bound > combined.bound) combined = std::move(several);
    if (combined.bound > 0) return;
  }
  BoxOutcome& outcome = outcomes_[pair.domain];
  outcome.open.push_back(pair.target);
  outcome.bound = std::min(outcome.bound, combined.bound);
  outcome.smear.resize(lower.size(), 0.0);
  for (size_t r = 0; r < combined.weights.size(); ++r) {
    if (!(combined.weights[r] > 0)) continue;
    for (size_t k = 0; k < lower.size(); ++k) {
      outcome.smear[k] +=
          combined.weights[r] * std::fabs(planes.lambda[r * lower.size() + k]) * (upper[k] - lower[k]);
    }
    if (r < pair.end - pair.begin) {
      weights_.push_back({pair.domain, pair.begin + r, combined.weights[r]});
    }
  }
  Join(lower, upper, outcome.lower, outcome.upper);
  if (candidate_targets_.size() < kMostCandidates) {
    candidate_targets_.push_back(static_cast<size_t>(pair.target));
    candidate_points_.insert(candidate_points_.end(), point.begin(), point.end());
  }
}

// Per activation, [domains][neurons]: what the neuron's relaxation costs the open combinations.
std::vector<std::vector<double>> BoxBatch::Looseness(const bounds::RowDetails& details) const {
  std::vector<std::vector<double>> all;
  for (size_t a = 0; a < layers_.layers.size(); ++a) {
    const bounds::LayerBox& box = layers_.layers[a];
    const ir::HingeLayer& hinge = run_.plan.hinge(static_cast<int>(a));
    const std::vector<int32_t>& unstable = relaxation_.unstable(static_cast<int>(a));
    std::vector<double>& looseness = all.emplace_back(box.lower.size(), 0.0);
    if (details.neuron_lambda[a].empty()) continue;
    for (const RowWeight& part : weights_) {
      const double* lambda = details.neuron_lambda[a].data() + part.row * unstable.size();
      for (size_t u = 0; u < unstable.size(); ++u) {
        const auto i = static_cast<size_t>(unstable[u]);
        const size_t at = part.domain * hinge.left.size() + i;
        if (box.lower[at] >= 0 || box.upper[at] <= 0) continue;
        const double chord =
            backend::LinesOfHinge(hinge.left[i], hinge.right[i], box.lower[at], box.upper[at])
                .chord_intercept;
        const double convex = hinge.left[i] < hinge.right[i] ? 1.0 : 0.0;
        looseness[at] +=
            part.weight * backend::SplitScore(lambda[u], backend::OnFreeLine(lambda[u], convex), chord);
      }
    }
  }
  return all;
}

// Of the first layer with unstable neurons: what comes before is linear on the domain, so the neuron's plane
// is the neuron itself, and the cut says all that the split does.
void BoxBatch::ChooseNeurons(const std::vector<std::vector<double>>& looseness) {
  for (size_t d = 0; d < domains_.size(); ++d) {
    std::optional<NeuronChoice>& choice = outcomes_[d].neuron;
    for (size_t a = 0; a < looseness.size() && !choice.has_value(); ++a) {
      const ir::HingeLayer& hinge = run_.plan.hinge(static_cast<int>(a));
      const bounds::LayerBox& box = layers_.layers[a];
      const size_t n = hinge.left.size();
      for (size_t i = 0; i < n; ++i) {
        const size_t at = d * n + i;
        if (!(box.lower[at] < 0 && box.upper[at] > 0) || hinge.left[i] == hinge.right[i]) continue;
        if (!choice.has_value() || looseness[a][at] > choice->looseness)
          choice = NeuronChoice{static_cast<int>(a), static_cast<int32_t>(i), looseness[a][at]};
      }
    }
  }
}

absl::Status BoxBatch::Influence(std::vector<std::vector<double>> looseness) {
  InfluenceQuery query;
  query.layers = &layers_;
  query.looseness = std::move(looseness);
  for (size_t d = 0; d < domains_.size(); ++d) {
    for (size_t k = 0; k < outcomes_[d].lower.size(); ++k) {
      query.domain.push_back(static_cast<int32_t>(d));
      query.input.push_back(free(d)[k]);
      query.width.push_back(static_cast<float>(outcomes_[d].upper[k] - outcomes_[d].lower[k]));
    }
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> share, InputInfluence(run_.plan, query));
  size_t r = 0;
  for (BoxOutcome& outcome : outcomes_) {
    for (size_t k = 0; k < outcome.lower.size(); ++k) outcome.influence.push_back(share[r++]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AffineBounds>> BoxBatch::Planes(const std::vector<SignedNeuron>& wanted) const {
  std::vector<AffineBounds> planes(wanted.size());
  std::map<int, std::vector<size_t>> by_layer;
  for (size_t k = 0; k < wanted.size(); ++k) by_layer[wanted[k].neuron.activation].push_back(k);
  const bounds::Scope scope{&run_.plan, &layers_.boxes, nullptr, &relaxation_, &layers_.magnitudes};
  for (const auto& [activation, members] : by_layer) {
    bounds::HostRows rows;
    rows.start = run_.plan.node(run_.plan.activations()[static_cast<size_t>(activation)]).predecessor;
    for (size_t k : members) {
      rows.domain.push_back(static_cast<int32_t>(wanted[k].domain));
      rows.neuron.push_back(wanted[k].neuron.neuron);
      rows.sign.push_back(wanted[k].sign);
    }
    bounds::RowDetails details;
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> margin,
                              bounds::CertifiedBounds(scope, rows, nullptr, &details));
    for (size_t r = 0; r < members.size(); ++r)
      AddPlane(wanted[members[r]].domain, r, margin, details, planes[members[r]]);
  }
  return planes;
}

}  // namespace espalier::search
