#include "verifier/search/input_bab.h"

#include <algorithm>
#include <cmath>

#include "verifier/base/discard.h"
#include "verifier/base/status.h"
#include "verifier/search/attack.h"
#include "verifier/search/clip.h"

namespace espalier::search {
namespace {

constexpr int64_t kAttackEvery = 4;
// A domain with at most so many unstable neurons is split at one of them: enumerating a few sides takes fewer
// domains than halving the inputs until all sides are decided.
constexpr int64_t kFewUnstable = 16;

// What a checkpoint says of a domain.
BoxDomain WithoutBounds(const BoxDomain& domain) {
  BoxDomain copy;
  copy.box = domain.box;
  copy.bound = domain.bound;
  copy.lower = domain.lower;
  copy.upper = domain.upper;
  copy.targets = domain.targets;
  copy.origin = domain.origin;
  return copy;
}

}  // namespace

InputBab::InputBab(Run& run)
    : run_(run), budget_bytes_(run.options.memory_bytes / 2), open_of_target_(run.problem.targets.size(), 0) {
  for (const api::Box& box : run.problem.boxes) {
    std::vector<int32_t> free;
    for (size_t i = 0; i < box.lower.size(); ++i) {
      if (box.lower[i] < box.upper[i]) free.push_back(static_cast<int32_t>(i));
    }
    free_inputs_.push_back(std::move(free));
  }
}

InputBab::~InputBab() {
  if (static_cast<int64_t>(open_.size()) > kManyDomains) base::DiscardBehind(std::move(open_));
}

void InputBab::Push(BoxDomain domain) {
  open_bytes_ += domain.Bytes();
  const double bound = domain.bound;
  open_.emplace(bound, std::move(domain));
}

std::vector<BoxDomain> InputBab::Pop(int64_t count) {
  // Past the budget, best first: it goes deep and frees memory.
  std::vector<BoxDomain> taken;
  while (static_cast<int64_t>(taken.size()) < count && !open_.empty()) {
    auto it = open_bytes_ > budget_bytes_ ? std::prev(open_.end()) : open_.begin();
    open_bytes_ -= it->second.Bytes();
    taken.push_back(std::move(it->second));
    open_.erase(it);
  }
  return taken;
}

void InputBab::Close(const BoxDomain& domain) {
  ++closed_;
  for (int32_t t : domain.targets) {
    if (--open_of_target_[static_cast<size_t>(t)] == 0) run_.Refute(static_cast<size_t>(t));
  }
}

void InputBab::Halve(const BoxDomain& domain, const BoxOutcome& outcome) {
  const api::Box& whole = run_.problem.boxes[static_cast<size_t>(domain.box)];
  const std::vector<int32_t>& free = free_inputs_[static_cast<size_t>(domain.box)];
  const auto gain = [&](size_t k) {
    const double value = outcome.smear[k] + outcome.influence[k];
    return std::isfinite(value) ? value : 0.0;
  };
  double total = 0;
  for (size_t k = 0; k < free.size(); ++k) total += gain(k);
  size_t best = free.size();
  double value = -1;
  for (size_t k = 0; k < free.size(); ++k) {
    const double middle = 0.5 * domain.lower[k] + 0.5 * domain.upper[k];
    if (!(middle > domain.lower[k] && middle < domain.upper[k])) continue;
    // Every input counts a little by the share of its width that is left, so that no box is halved along one
    // side for ever.
    const auto i = static_cast<size_t>(free[k]);
    const double share = (domain.upper[k] - domain.lower[k]) / (whole.upper[i] - whole.lower[i]);
    const double score = gain(k) + share * (0.02 * total + 1e-300);
    if (score > value) value = score, best = k;
  }
  if (best == free.size()) {
    given_up_.push_back(WithoutBounds(domain));
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

// Two children each: the neuron's pre-activation z is >= 0, or <= 0. Where -z has the affine lower bound p,
// the first has p <= 0; where z has it, the second.
absl::Status InputBab::SplitNeurons(const BoxBatch& batch, const std::vector<BoxDomain>& domains,
                                    const std::vector<size_t>& chosen) {
  std::vector<BoxBatch::SignedNeuron> wanted;
  for (size_t d : chosen) {
    for (double sign : {-1.0, 1.0}) wanted.push_back({d, *batch.outcomes()[d].neuron, sign});
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<AffineBounds> planes, batch.Planes(wanted));
  for (size_t d : chosen) {  // two in place of one
    for (int32_t t : domains[d].targets) ++open_of_target_[static_cast<size_t>(t)];
  }
  std::vector<std::shared_ptr<const BoxPart>> origins(domains.size());
  for (size_t d : chosen) {
    if (domains[d].origin == nullptr) origins[d] = std::make_shared<const BoxPart>(domains[d].Part());
  }
  for (size_t k = 0; k < wanted.size(); ++k) {
    const NeuronChoice& neuron = wanted[k].neuron;
    BoxDomain child = domains[wanted[k].domain];
    if (child.origin == nullptr) child.origin = origins[wanted[k].domain];
    child.signs.Set(run_.plan.activation_begin(neuron.activation) + neuron.neuron,
                    wanted[k].sign < 0 ? 1 : -1);
    Append(planes[k], child.cuts);
    if (ClipBox(child.cuts, child.lower, child.upper)) {
      Push(std::move(child));
    } else {
      Close(child);
    }
  }
  run_.statistics.splits += static_cast<int64_t>(chosen.size());
  return absl::OkStatus();
}

absl::Status InputBab::SplitAll(const BoxBatch& batch, std::vector<BoxDomain>& domains) {
  std::vector<size_t> at_neurons;
  for (size_t d = 0; d < domains.size(); ++d) {
    const BoxOutcome& outcome = batch.outcomes()[d];
    BoxDomain& domain = domains[d];
    // Targets that left.
    for (int32_t t : domain.targets) {
      const bool open = std::find(outcome.open.begin(), outcome.open.end(), t) != outcome.open.end();
      if (!open && --open_of_target_[static_cast<size_t>(t)] == 0) run_.Refute(static_cast<size_t>(t));
    }
    domain.targets = outcome.open;
    if (domain.targets.empty()) {
      ++closed_;
      continue;
    }
    domain.bound = outcome.bound;
    domain.lower = outcome.lower;
    domain.upper = outcome.upper;
    domain.signs = outcome.signs;
    if (outcome.neuron.has_value() && outcome.unstable <= kFewUnstable) {
      at_neurons.push_back(d);
    } else {
      Halve(domain, outcome);
    }
  }
  const absl::Status split = SplitNeurons(batch, domains, at_neurons);
  if (!absl::IsResourceExhausted(split)) return split;
  for (size_t d : at_neurons) Halve(domains[d], batch.outcomes()[d]);
  return absl::OkStatus();
}

absl::StatusOr<bool> InputBab::Candidates(const BoxBatch& batch) {
  // Low-dimensional boxes get small, so their corners are good candidates even without an attack: replay is
  // cheap.
  if (batch.candidate_targets().empty()) return false;
  PhaseTimer timer(run_, "attack");
  Attack attack(run_);
  const int64_t steps = run_.options.attack != 0 && rounds_ % kAttackEvery == 0 ? 10 : 0;
  return attack.From(batch.candidate_targets(), batch.candidate_points(), steps);
}

absl::StatusOr<bool> InputBab::Process(std::vector<BoxDomain> domains) {
  run_.statistics.domains += static_cast<int64_t>(domains.size());
  BoxBatch batch(run_, free_inputs_, domains);
  run_.plan.backend().Lap();
  const absl::Status bounded = [&] {
    PhaseTimer timer(run_, "bound");
    return batch.Bound();
  }();
  if (absl::IsResourceExhausted(bounded) && domains.size() > 1) {
    // Half the batch at a time from now on.
    run_.box_batch.Halve(static_cast<int64_t>(domains.size()));
    ++run_.statistics.counters["batch_halved"];
    for (BoxDomain& domain : domains) Push(std::move(domain));
    return false;
  }
  ESPALIER_RETURN_IF_ERROR(bounded);
  run_.TookBatch(run_.box_batch, static_cast<int64_t>(domains.size()));
  ESPALIER_ASSIGN_OR_RETURN(const bool found, Candidates(batch));
  if (found) return true;
  PhaseTimer timer(run_, "split");
  ESPALIER_RETURN_IF_ERROR(SplitAll(batch, domains));
  return false;
}

absl::StatusOr<SearchEnd> InputBab::Loop() {
  while (!open_.empty()) {
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (run_.options.max_domains > 0 && run_.statistics.domains >= run_.options.max_domains) {
      return SearchEnd::kDomainLimit;
    }
    if (run_.between_rounds) run_.between_rounds();
    run_.Report("input-bab", open_.begin()->first, static_cast<int64_t>(open_.size()), closed_);
    run_.statistics.max_open = std::max(run_.statistics.max_open, static_cast<int64_t>(open_.size()));
    ++rounds_;
    std::vector<BoxDomain> popped = Pop(run_.box_batch.size());
    for (const BoxDomain& domain : popped) in_flight_.push_back(WithoutBounds(domain));
    ESPALIER_ASSIGN_OR_RETURN(const bool found, Process(std::move(popped)));
    if (found) return SearchEnd::kWitness;
    in_flight_.clear();
  }
  return rowless_ || !given_up_.empty() ? SearchEnd::kNumerical : SearchEnd::kExhausted;
}

absl::StatusOr<SearchEnd> InputBab::Search() {
  std::map<int32_t, BoxDomain> starts;
  for (size_t t : run_.OpenTargets()) {
    if (run_.problem.targets[t].rows == 0) {
      rowless_ = true;
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

absl::StatusOr<SearchEnd> InputBab::Search(const std::vector<BoxPart>& left) {
  for (size_t t : run_.OpenTargets()) rowless_ = rowless_ || run_.problem.targets[t].rows == 0;
  for (const BoxPart& part : left) {
    BoxDomain domain;
    domain.box = part.box;
    domain.bound = part.bound;
    domain.lower = part.lower;
    domain.upper = part.upper;
    domain.targets = part.targets;
    std::erase_if(domain.targets, [&](int32_t t) { return run_.refuted(static_cast<size_t>(t)); });
    for (const int32_t t : domain.targets) ++open_of_target_[static_cast<size_t>(t)];
    if (!domain.targets.empty()) Push(std::move(domain));
  }
  return Loop();
}

// What was split at neurons is saved as the box that it came from, once: the assumptions' cuts are bounds,
// which a checkpoint does not hold.
void InputBab::Save(std::vector<BoxPart>& left) const {
  std::map<const BoxPart*, size_t> known;  // origin -> its place in `left`
  const auto save = [&](const BoxDomain& domain) {
    std::vector<int32_t> targets = domain.targets;
    std::erase_if(targets, [&](int32_t t) { return run_.refuted(static_cast<size_t>(t)); });
    if (targets.empty()) return;
    const auto [it, fresh] = known.try_emplace(domain.origin.get(), left.size());
    if (domain.origin == nullptr || fresh) {
      left.push_back(domain.origin == nullptr ? domain.Part() : *domain.origin);
      left.back().targets = std::move(targets);
      return;
    }
    std::vector<int32_t>& all = left[it->second].targets;
    all.insert(all.end(), targets.begin(), targets.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
  };
  for (const auto& [bound, domain] : open_) save(domain);
  for (const BoxDomain& domain : in_flight_) save(domain);
  for (const BoxDomain& domain : given_up_) save(domain);
}

}  // namespace espalier::search
