#include "verifier/search/relu_bab.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "verifier/base/status.h"
#include "verifier/search/attack.h"
#include "verifier/search/branching.h"
#include "verifier/search/leaf_lp.h"
#include "verifier/search/reweight.h"

namespace espalier::search {
namespace {

constexpr int64_t kCandidates = 12;       // by score
constexpr int64_t kTried = 4;             // of these in look-ahead
constexpr int64_t kAttackEvery = 16;      // rounds between attacks from the worst domains' corners, later
constexpr int64_t kLookAheadBatches = 8;  // children of candidates that are bounded together

// Out of memory: in halves. Each domain's certificate is its own, so that company does not matter.
absl::StatusOr<std::vector<double>> CertifyInMemory(Run& run, DomainBounder& bounder,
                                                    const std::vector<const Domain*>& domains) {
  absl::StatusOr<std::vector<double>> certified = bounder.Certify(domains);
  if (!absl::IsResourceExhausted(certified.status()) || domains.size() < 2) return certified;
  ++run.statistics.counters["batch_halved"];
  const auto middle = domains.begin() + static_cast<int64_t>(domains.size() / 2);
  ESPALIER_ASSIGN_OR_RETURN(std::vector<double> all,
                            CertifyInMemory(run, bounder, {domains.begin(), middle}));
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> rest,
                            CertifyInMemory(run, bounder, {middle, domains.end()}));
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

// Whether the round begins with an attack: early ones often, for a few splits may be all that was missing.
bool Attacks(int64_t round) {
  return std::has_single_bit(static_cast<uint64_t>(round)) || round % kAttackEvery == 0;
}

}  // namespace

ReluBab::ReluBab(Run& run, SharedRoot& root, SplitRatings& ratings, Of of)
    : run_(run),
      root_(root),
      ratings_(ratings),
      part_(of.part),
      queue_(static_cast<int64_t>(of.share * 0.5 * static_cast<double>(run.options.memory_bytes))),
      bounder_(std::move(of.bounder)),
      open_of_target_(run_.problem.targets.size(), 0) {}

void ReluBab::Close(int32_t target) {
  ++closed_;
  if (--open_of_target_[static_cast<size_t>(target)] == 0 && !part_) run_.Refute(static_cast<size_t>(target));
}

absl::Status ReluBab::Optimise(std::vector<Domain>& domains) {
  PhaseTimer timer(run_, "bound");
  const bool corners = run_.options.attack != 0 && Attacks(rounds_);
  ESPALIER_RETURN_IF_ERROR(bounder_->Optimise(domains, {.candidates = kCandidates, .corners = corners}));
  return Reweight(run_, root_, domains);
}

// Out of memory: half the batch at a time from now on, down to single domains.
absl::Status ReluBab::OptimiseInMemory(std::vector<Domain>& domains) {
  absl::Status status = Optimise(domains);
  if (!absl::IsResourceExhausted(status) || domains.size() < 2) return status;
  run_.batch.Halve(static_cast<int64_t>(domains.size()));
  ++run_.statistics.counters["batch_halved"];
  const auto middle = domains.begin() + static_cast<int64_t>(domains.size() / 2);
  std::vector<Domain> second(std::make_move_iterator(middle), std::make_move_iterator(domains.end()));
  domains.erase(middle, domains.end());
  ESPALIER_RETURN_IF_ERROR(OptimiseInMemory(domains));
  ESPALIER_RETURN_IF_ERROR(OptimiseInMemory(second));
  domains.insert(domains.end(), std::make_move_iterator(second.begin()),
                 std::make_move_iterator(second.end()));
  return absl::OkStatus();
}

// What float32 calls refuted is certified in float64; what fails that stays open with a bound of zero at
// most.
absl::Status ReluBab::CloseRefuted(std::vector<Domain>& domains) {
  std::vector<const Domain*> claimed;
  std::vector<size_t> index;
  for (size_t d = 0; d < domains.size(); ++d) {
    if (domains[d].bound > 0) claimed.push_back(&domains[d]), index.push_back(d);
  }
  if (claimed.empty()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> certified, CertifyInMemory(run_, *bounder_, claimed));
  std::vector<bool> drop(domains.size(), false);
  for (size_t k = 0; k < index.size(); ++k) {
    if (certified[k] > 0) {
      drop[index[k]] = true;
      Close(domains[index[k]].target);
    } else {
      domains[index[k]].bound = std::min(certified[k], 0.0);
      ++run_.statistics.counters["certification_refused"];
    }
  }
  std::vector<Domain> open;
  for (size_t d = 0; d < domains.size(); ++d) {
    if (!drop[d]) open.push_back(std::move(domains[d]));
  }
  domains = std::move(open);
  return absl::OkStatus();
}

absl::StatusOr<bool> ReluBab::BoundAndQueue(std::vector<Domain> domains) {
  size_t end = 0;
  for (size_t begin = 0; begin < domains.size() && !run_.stop.StopRequested(); begin = end) {
    end = std::min(domains.size(), begin + static_cast<size_t>(run_.batch.size()));
    std::vector<Domain> part(std::make_move_iterator(domains.begin() + static_cast<int64_t>(begin)),
                             std::make_move_iterator(domains.begin() + static_cast<int64_t>(end)));
    run_.statistics.domains += static_cast<int64_t>(part.size());
    run_.plan.backend().Lap();
    ESPALIER_RETURN_IF_ERROR(OptimiseInMemory(part));
    ESPALIER_RETURN_IF_ERROR(CloseRefuted(part));
    run_.TookBatch(run_.batch, static_cast<int64_t>(end - begin));
    ESPALIER_ASSIGN_OR_RETURN(const bool found, AttackCorners(run_, part));
    if (found) return true;
    settled_ += end - begin;
    for (Domain& domain : part) {
      domain.corner.clear();
      domain.corner.shrink_to_fit();
      queue_.Push(std::move(domain));
    }
  }
  return false;
}

absl::StatusOr<std::vector<Domain>> ReluBab::SplitAll(std::vector<Domain> parents, bool& witness) {
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<int> choice,
                            ChooseBranch(run_, root_, *bounder_,
                                         {ratings_, kTried, kLookAheadBatches * run_.batch.size()}, parents));
  std::vector<Domain> children;
  for (size_t d = 0; d < parents.size(); ++d) {
    if (choice[d] >= 0) {
      const Candidate candidate = parents[d].candidates[static_cast<size_t>(choice[d])];
      ++open_of_target_[static_cast<size_t>(parents[d].target)];
      children.push_back(MakeChild(parents[d], candidate, +1));
      children.push_back(MakeChild(std::move(parents[d]), candidate, -1));
      ++run_.statistics.splits;
      continue;
    }
    PhaseTimer timer(run_, "leaf");
    ESPALIER_ASSIGN_OR_RETURN(const LeafEnd end, DecideLeaf(run_, root_, parents[d]));
    if (end == LeafEnd::kRefuted) Close(parents[d].target);
    if (end == LeafEnd::kUndecided) given_up_.push_back(Stripped(parents[d]));
    if (end == LeafEnd::kWitness) {
      witness = true;
      break;
    }
  }
  return children;
}

absl::StatusOr<SearchEnd> ReluBab::Loop() {
  while (!queue_.empty()) {
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (run_.options.max_domains > 0 && run_.statistics.domains >= run_.options.max_domains) {
      return SearchEnd::kDomainLimit;
    }
    if (run_.statistics.domains >= budget_end_) return SearchEnd::kBudget;
    if (run_.between_rounds) run_.between_rounds();
    run_.Report("relu-bab", queue_.WorstBound(), queue_.size(), closed_);
    run_.statistics.max_open = std::max(run_.statistics.max_open, queue_.size());
    ++rounds_;
    bool witness = false;
    std::vector<Domain> popped = queue_.Pop(std::max<int64_t>(1, run_.batch.size() / 2));
    SetInFlight(popped);
    std::vector<Domain> restored = TakeRestored(popped);
    ESPALIER_ASSIGN_OR_RETURN(std::vector<Domain> children, SplitAll(std::move(popped), witness));
    if (witness) return SearchEnd::kWitness;
    children.insert(children.end(), std::make_move_iterator(restored.begin()),
                    std::make_move_iterator(restored.end()));
    SetInFlight(children);
    ESPALIER_ASSIGN_OR_RETURN(const bool found, BoundAndQueue(std::move(children)));
    if (found) return SearchEnd::kWitness;
  }
  if (run_.stop.StopRequested()) return SearchEnd::kStopped;
  return !given_up_.empty() ? SearchEnd::kNumerical : SearchEnd::kExhausted;
}

void ReluBab::SetBudget(int64_t domains) {
  budget_end_ = domains > 0 ? run_.statistics.domains + domains : std::numeric_limits<int64_t>::max();
}

absl::StatusOr<SearchEnd> ReluBab::Search(std::vector<Domain> starts, int64_t budget) {
  SetBudget(budget);
  SetInFlight(starts);
  if (bounder_ == nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(bounder_, DomainBounder::Make(run_, root_));
  }
  for (const Domain& domain : starts) ++open_of_target_[static_cast<size_t>(domain.target)];
  ESPALIER_ASSIGN_OR_RETURN(const bool found, BoundAndQueue(std::move(starts)));
  if (found) return SearchEnd::kWitness;
  return Loop();
}

absl::StatusOr<SearchEnd> ReluBab::Resume(int64_t budget) {
  SetBudget(budget);
  return Loop();
}

}  // namespace espalier::search
