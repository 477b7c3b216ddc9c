#include "verifier/search/input_bab.h"

#include <algorithm>
#include <cmath>

#include "verifier/base/status.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/rounding.h"
#include "verifier/search/attack.h"

namespace espalier::search {
namespace {

constexpr int64_t kAttackEvery = 4;
constexpr size_t kAttackPoints = 64;

int64_t BatchFor(const Run& run) {
  if (run.options.batch > 0) return run.options.batch;
  int64_t neurons = 0;
  for (const auto& node : run.plan.nodes()) neurons += node.size;
  return std::clamp<int64_t>((int64_t{1} << 20) / std::max<int64_t>(neurons, 1), 8, 1024);
}

}  // namespace

// What one bound pass found out about a batch.
struct InputBab::Outcome {
  std::vector<std::vector<int32_t>> open;  // per domain: targets that are left
  std::vector<double> bound;               // per domain: lowest best margin of what is left
  std::vector<std::vector<double>> smear;  // per domain, per free input
  std::vector<size_t> candidate_target;    // points worth trying
  std::vector<double> candidate_point;
};

InputBab::InputBab(Run& run)
    : run_(run),
      batch_(BatchFor(run)),
      budget_bytes_(run.options.memory_bytes / 2),
      open_of_target_(run.problem.targets.size(), 0) {
  for (const api::Box& box : run.problem.boxes) {
    std::vector<int32_t> free;
    for (size_t i = 0; i < box.lower.size(); ++i) {
      if (box.lower[i] < box.upper[i]) free.push_back(static_cast<int32_t>(i));
    }
    free_inputs_.push_back(std::move(free));
  }
}

void InputBab::Push(BoxDomain domain) {
  const double bound = domain.bound;
  open_.emplace(bound, std::move(domain));
}

std::vector<InputBab::BoxDomain> InputBab::Pop(int64_t count) {
  // Past the budget, best first: it goes deep and frees memory.
  const auto bytes_each = static_cast<int64_t>(sizeof(BoxDomain) + 64) + 24 * run_.problem.inputs;
  std::vector<BoxDomain> taken;
  while (static_cast<int64_t>(taken.size()) < count && !open_.empty()) {
    const bool full = static_cast<int64_t>(open_.size()) * bytes_each > budget_bytes_;
    auto it = full ? std::prev(open_.end()) : open_.begin();
    taken.push_back(std::move(it->second));
    open_.erase(it);
  }
  return taken;
}

bounds::InputBoxes InputBab::Expand(const std::vector<BoxDomain>& domains) const {
  bounds::InputBoxes boxes;
  boxes.domains = static_cast<int64_t>(domains.size());
  for (const BoxDomain& domain : domains) {
    const api::Box& whole = run_.problem.boxes[static_cast<size_t>(domain.box)];
    const size_t base = boxes.lower.size();
    boxes.lower.insert(boxes.lower.end(), whole.lower.begin(), whole.lower.end());
    boxes.upper.insert(boxes.upper.end(), whole.upper.begin(), whole.upper.end());
    const std::vector<int32_t>& free = free_inputs_[static_cast<size_t>(domain.box)];
    for (size_t k = 0; k < free.size(); ++k) {
      boxes.lower[base + static_cast<size_t>(free[k])] = domain.lower[k];
      boxes.upper[base + static_cast<size_t>(free[k])] = domain.upper[k];
    }
  }
  return boxes;
}

void InputBab::Split(const BoxDomain& domain, const std::vector<double>& smear) {
  const api::Box& whole = run_.problem.boxes[static_cast<size_t>(domain.box)];
  const std::vector<int32_t>& free = free_inputs_[static_cast<size_t>(domain.box)];
  double total = 0;
  for (double s : smear) total += std::isfinite(s) ? s : 0.0;
  size_t best = domain.lower.size();
  double value = -1;
  for (size_t k = 0; k < smear.size(); ++k) {
    const double middle = 0.5 * domain.lower[k] + 0.5 * domain.upper[k];
    if (!(middle > domain.lower[k] && middle < domain.upper[k])) continue;
    // An input without influence on the bound may still have one on the relaxation: it counts a little by the
    // share of its width that is left, so that no box is halved along one side for ever.
    const auto i = static_cast<size_t>(free[k]);
    const double share = (domain.upper[k] - domain.lower[k]) / (whole.upper[i] - whole.lower[i]);
    const double score = (std::isfinite(smear[k]) ? smear[k] : 0.0) + share * (0.02 * total + 1e-300);
    if (score > value) value = score, best = k;
  }
  if (best == domain.lower.size()) {
    ++unresolved_;  // a point box that neither bound nor replay decided
    run_.NoteUndecided(domain.bound);
    return;
  }
  const double middle = 0.5 * domain.lower[best] + 0.5 * domain.upper[best];
  BoxDomain left = domain, right = domain;
  left.upper[best] = middle;
  right.lower[best] = middle;
  for (int32_t t : domain.targets) ++open_of_target_[static_cast<size_t>(t)];
  ++run_.statistics.splits;
  Push(std::move(left));
  Push(std::move(right));
}

absl::StatusOr<bool> InputBab::Candidates(const Outcome& outcome) {
  // Low-dimensional boxes get small, so their corners are good candidates even without an attack: replay is
  // cheap.
  if (outcome.candidate_target.empty()) return false;
  PhaseTimer timer(run_.statistics, "attack");
  Attack attack(run_);
  const int64_t steps = run_.options.attack != 0 && rounds_ % kAttackEvery == 0 ? 10 : 0;
  return attack.From(outcome.candidate_target, outcome.candidate_point, steps);
}

// The rows of one (domain, target) pair: its best single row or combination decides.
void InputBab::Digest(const std::vector<BoxDomain>& domains, const PairRows& pair,
                      const std::vector<double>& margin, const bounds::RowDetails& details,
                      Outcome& outcome) {
  const BoxDomain& domain = domains[pair.domain];
  const std::vector<int32_t>& free = free_inputs_[static_cast<size_t>(domain.box)];
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  size_t best = pair.begin;
  for (size_t r = pair.begin; r < pair.end; ++r) {
    if (margin[r] > margin[best]) best = r;
  }
  double bound = margin[best];
  std::vector<double> point(details.corner.begin() + static_cast<int64_t>(best * inputs),
                            details.corner.begin() + static_cast<int64_t>((best + 1) * inputs));
  std::vector<double> weights(pair.end - pair.begin, 0.0);
  weights[best - pair.begin] = 1.0;
  if (!(bound > 0) && pair.end - pair.begin > 1) {
    const Combination combined = BestCombination(FreePart(free, pair, margin, details), domain.lower.data(),
                                                 domain.upper.data(), run_.stop);
    for (size_t k = 0; k < free.size(); ++k) point[static_cast<size_t>(free[k])] = combined.point[k];
    if (combined.bound > bound) bound = combined.bound, weights = combined.weights;
  }
  if (bound > 0) {
    if (--open_of_target_[static_cast<size_t>(pair.target)] == 0)
      run_.Refute(static_cast<size_t>(pair.target));
    return;
  }
  outcome.open[pair.domain].push_back(pair.target);
  outcome.bound[pair.domain] = std::min(outcome.bound[pair.domain], bound);
  std::vector<double>& smear = outcome.smear[pair.domain];
  smear.resize(free.size(), 0.0);
  for (size_t k = 0; k < free.size(); ++k) {
    double slope = 0;
    for (size_t r = 0; r < weights.size(); ++r) {
      slope += weights[r] *
               std::fabs(details.input_lambda[(pair.begin + r) * inputs + static_cast<size_t>(free[k])]);
    }
    smear[k] += slope * (domain.upper[k] - domain.lower[k]);
  }
  if (outcome.candidate_target.size() < kAttackPoints) {
    outcome.candidate_target.push_back(static_cast<size_t>(pair.target));
    outcome.candidate_point.insert(outcome.candidate_point.end(), point.begin(), point.end());
  }
}

// The certified affine bounds of the pair's rows as functions of the free inputs: a row's constant follows
// from its certified bound, which it attains at its corner.
AffineBounds InputBab::FreePart(const std::vector<int32_t>& free, const PairRows& pair,
                                const std::vector<double>& margin, const bounds::RowDetails& details) const {
  const auto inputs = static_cast<size_t>(run_.problem.inputs);
  AffineBounds rows;
  rows.inputs = static_cast<int64_t>(free.size());
  for (size_t r = pair.begin; r < pair.end; ++r) {
    double constant = margin[r], magnitude = std::fabs(margin[r]);
    for (int32_t i : free) {
      const double slope = details.input_lambda[r * inputs + static_cast<size_t>(i)];
      const double at = slope * details.corner[r * inputs + static_cast<size_t>(i)];
      rows.lambda.push_back(slope);
      constant -= at;
      magnitude += std::fabs(at);
    }
    rows.constant.push_back(constant -
                            bounds::Gamma<double>(static_cast<double>(free.size()) + 8.0) * magnitude);
    ++rows.rows;
  }
  return rows;
}

absl::Status InputBab::Bound(const std::vector<BoxDomain>& domains, Outcome& outcome) {
  PhaseTimer timer(run_.statistics, "bound");
  const bounds::InputBoxes boxes = Expand(domains);
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DomainBounds layers,
                            bounds::ComputeIntermediate(run_.plan, boxes, {}, run_.stop));
  ESPALIER_ASSIGN_OR_RETURN(
      const bounds::Relaxation<double> relaxation,
      bounds::Relaxation<double>::Make(run_.plan, layers.layers, static_cast<int64_t>(domains.size())));
  bounds::HostRows rows;
  rows.start = run_.plan.network().output;
  std::vector<PairRows> pairs;
  for (size_t d = 0; d < domains.size(); ++d) {
    for (int32_t t : domains[d].targets) {
      const Target& target = run_.problem.targets[static_cast<size_t>(t)];
      const auto begin = static_cast<size_t>(rows.count());
      for (int64_t r = 0; r < target.rows; ++r) {
        AppendRow(run_.problem, target, UnitWeights(target, r), static_cast<int32_t>(d),
                  layers.magnitudes.host(rows.start), rows);
      }
      pairs.push_back({d, t, begin, static_cast<size_t>(rows.count())});
    }
  }
  bounds::RowDetails details;
  ESPALIER_ASSIGN_OR_RETURN(
      const std::vector<double> margin,
      bounds::CertifiedBounds({&run_.plan, &boxes, nullptr, &relaxation, &layers.magnitudes}, rows, nullptr,
                              &details));
  outcome.open.resize(domains.size());
  outcome.bound.assign(domains.size(), INFINITY);
  outcome.smear.resize(domains.size());
  for (const PairRows& pair : pairs) {
    if (run_.stop.StopRequested()) return absl::CancelledError("stopped");
    Digest(domains, pair, margin, details, outcome);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> InputBab::Process(std::vector<BoxDomain> domains) {
  run_.statistics.domains += static_cast<int64_t>(domains.size());
  Outcome outcome;
  const absl::Status bounded = Bound(domains, outcome);
  if (absl::IsResourceExhausted(bounded) && domains.size() > 1) {
    // Half the batch at a time from now on.
    batch_ = std::max<int64_t>(1, static_cast<int64_t>(domains.size()) / 2);
    ++run_.statistics.counters["batch_halved"];
    for (BoxDomain& domain : domains) Push(std::move(domain));
    return false;
  }
  ESPALIER_RETURN_IF_ERROR(bounded);
  ESPALIER_ASSIGN_OR_RETURN(const bool found, Candidates(outcome));
  if (found) return true;
  for (size_t d = 0; d < domains.size(); ++d) {
    if (outcome.open[d].empty()) {
      ++closed_;
      continue;
    }
    domains[d].targets = outcome.open[d];
    domains[d].bound = outcome.bound[d];
    Split(domains[d], outcome.smear[d]);
  }
  return false;
}

absl::StatusOr<SearchEnd> InputBab::Loop() {
  while (!open_.empty()) {
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (run_.options.max_domains > 0 && run_.statistics.domains >= run_.options.max_domains) {
      return SearchEnd::kDomainLimit;
    }
    run_.Report("input-bab", open_.begin()->first, static_cast<int64_t>(open_.size()), closed_);
    run_.statistics.max_open = std::max(run_.statistics.max_open, static_cast<int64_t>(open_.size()));
    ++rounds_;
    ESPALIER_ASSIGN_OR_RETURN(const bool found, Process(Pop(batch_)));
    if (found) return SearchEnd::kWitness;
  }
  return unresolved_ > 0 ? SearchEnd::kNumerical : SearchEnd::kExhausted;
}

absl::StatusOr<SearchEnd> InputBab::Search() {
  std::map<int32_t, BoxDomain> starts;
  for (size_t t : run_.OpenTargets()) {
    if (run_.problem.targets[t].rows == 0) {  // nothing to bound: only a replayed point can decide it
      ++unresolved_;
      continue;
    }
    const int32_t box = run_.problem.targets[t].box;
    auto [it, fresh] = starts.try_emplace(box);
    if (fresh) {
      it->second.box = box;
      it->second.bound = -INFINITY;
      for (int32_t i : free_inputs_[static_cast<size_t>(box)]) {
        it->second.lower.push_back(
            run_.problem.boxes[static_cast<size_t>(box)].lower[static_cast<size_t>(i)]);
        it->second.upper.push_back(
            run_.problem.boxes[static_cast<size_t>(box)].upper[static_cast<size_t>(i)]);
      }
    }
    it->second.targets.push_back(static_cast<int32_t>(t));
    ++open_of_target_[t];
  }
  for (auto& [box, domain] : starts) Push(std::move(domain));
  return Loop();
}

}  // namespace espalier::search
