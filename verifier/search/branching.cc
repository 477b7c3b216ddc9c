#include "verifier/search/branching.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "verifier/base/status.h"

namespace espalier::search {
namespace {

// No neuron matters to the bound as it stands, but some are not fixed yet: a leaf must have none.
void AddAnyUnsplit(const SharedRoot& root, Domain& domain) {
  for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
    const size_t width = root.relaxation64.unstable(static_cast<int>(a)).size();
    std::vector<bool> split(width, false);
    for (const Split& s : domain.splits) {
      if (s.layer == static_cast<int16_t>(a)) split[static_cast<size_t>(s.unstable)] = true;
    }
    const auto free = std::find(split.begin(), split.end(), false);
    if (free == split.end()) continue;
    domain.candidates.push_back({static_cast<int16_t>(a), static_cast<int32_t>(free - split.begin()), 0.0f});
    return;
  }
}

// Gains count up to the point where the child is refuted; both children matter, the weaker one more.
double BranchValue(double parent, double first, double second) {
  const double weak = std::min({first, second, 0.0}) - parent;
  const double strong = std::min(std::max(first, second), 0.0) - parent;
  return weak + 0.1 * strong;
}

// One call of ChooseBranch: collects the children of candidates and has many of them bounded at once.
class Choice {
 public:
  Choice(const Run& run, const SharedRoot& root, const LookAheadSettings& settings,
         std::vector<Domain>& domains)
      : run_(run),
        root_(root),
        settings_(settings),
        domains_(domains),
        best_(domains.size(), -1),
        value_(domains.size(), -INFINITY) {}

  absl::Status Look(DomainBounder& bounder);
  std::vector<int> Take() && { return std::move(best_); }

 private:
  struct Tried {
    size_t domain;
    int candidate;
    int64_t neuron;
  };
  void Add(size_t d);
  absl::Status Flush(DomainBounder& bounder);

  const Run& run_;
  const SharedRoot& root_;
  const LookAheadSettings& settings_;
  std::vector<Domain>& domains_;
  std::vector<int> best_;
  std::vector<double> value_;
  std::vector<Probe> probes_;  // two of each that is tried
  std::vector<Tried> tried_;
};

void Choice::Add(size_t d) {
  const std::vector<Candidate>& candidates = domains_[d].candidates;
  std::vector<int64_t> neurons;
  for (const Candidate& c : candidates) neurons.push_back(root_.NeuronOf(run_.plan, c.layer, c.unstable));
  for (const int c : settings_.ratings.Select(candidates, neurons, settings_.tried)) {
    const auto at = static_cast<size_t>(c);
    probes_.push_back({&domains_[d], candidates[at], +1});
    probes_.push_back({&domains_[d], candidates[at], -1});
    tried_.push_back({d, c, neurons[at]});
  }
}

absl::Status Choice::Flush(DomainBounder& bounder) {
  if (probes_.empty()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound, bounder.LookAhead(probes_));
  for (size_t k = 0; k < tried_.size(); ++k) {
    const auto [d, c, neuron] = tried_[k];
    const double parent = domains_[d].bound;
    const double value = BranchValue(parent, bound[2 * k], bound[2 * k + 1]);
    if (value > value_[d] || best_[d] < 0) value_[d] = value, best_[d] = c;
    if (!(parent < 0)) continue;
    const double score = static_cast<double>(domains_[d].candidates[static_cast<size_t>(c)].score);
    settings_.ratings.Note(neuron, score / -parent, std::max(value, 0.0) / -parent);
  }
  probes_.clear();
  tried_.clear();
  return absl::OkStatus();
}

absl::Status Choice::Look(DomainBounder& bounder) {
  for (size_t d = 0; d < domains_.size(); ++d) {
    if (domains_[d].candidates.empty()) AddAnyUnsplit(root_, domains_[d]);
    if (domains_[d].candidates.size() == 1) best_[d] = 0;
    if (domains_[d].candidates.size() < 2) continue;
    Add(d);
    if (static_cast<int64_t>(probes_.size()) >= settings_.rows_per_pass) {
      ESPALIER_RETURN_IF_ERROR(Flush(bounder));
    }
  }
  return Flush(bounder);
}

}  // namespace

absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, const SharedRoot& root, DomainBounder& bounder,
                                              const LookAheadSettings& settings,
                                              std::vector<Domain>& domains) {
  PhaseTimer timer(run, "branch");
  Choice choice(run, root, settings, domains);
  ESPALIER_RETURN_IF_ERROR(choice.Look(bounder));
  return std::move(choice).Take();
}

}  // namespace espalier::search
