#include "verifier/search/branching.h"

#include <algorithm>
#include <cmath>

#include "verifier/base/status.h"

namespace espalier::search {

Domain MakeChild(const Domain& parent, const Candidate& candidate, int8_t sign) {
  Domain child;
  child.target = parent.target;
  child.bound = parent.bound;
  child.splits = parent.splits;
  child.splits.push_back({candidate.layer, sign, candidate.unstable, 0.0f});
  child.slopes = parent.slopes;
  child.weights = parent.weights;
  return child;
}

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

}  // namespace

absl::Status CollectCandidates(const Run& run, SharedRoot& root, DomainBatch<float>& batch,
                               const std::vector<backend::Buffer<float>>& saved, int64_t keep,
                               const std::vector<Domain*>& domains) {
  auto& backend = run.plan.backend();
  const bounds::BackwardInput<float> in = batch.Input();
  for (Domain* domain : domains) domain->candidates.clear();
  for (size_t a = 0; a < root.bounds.layers.size(); ++a) {
    const backend::LayerLines<float> lines = root.relaxation32.lines(static_cast<int>(a));
    if (lines.unstable == 0) continue;
    const int64_t count = in.rows.rows * lines.unstable;
    ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> device, backend::Allocate<float>(backend, count));
    backend.f32().Score(in.rows, lines, saved[a].data(), device.data());
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    std::vector<float> score(static_cast<size_t>(count));
    backend.Download(device.data(), count * static_cast<int64_t>(sizeof(float)), score.data());
    for (size_t d = 0; d < domains.size(); ++d) {
      std::vector<Candidate>& best = domains[d]->candidates;
      for (int64_t j = 0; j < lines.unstable; ++j) {
        const float value = score[d * static_cast<size_t>(lines.unstable) + static_cast<size_t>(j)];
        if (!(value > 0)) continue;
        if (static_cast<int64_t>(best.size()) == keep && value <= best.back().score) continue;
        const Candidate candidate{static_cast<int16_t>(a), static_cast<int32_t>(j), value};
        best.insert(
            std::upper_bound(best.begin(), best.end(), candidate,
                             [](const Candidate& x, const Candidate& y) { return x.score > y.score; }),
            candidate);
        if (static_cast<int64_t>(best.size()) > keep) best.pop_back();
      }
    }
  }
  for (Domain* domain : domains) {
    if (domain->candidates.empty()) AddAnyUnsplit(root, *domain);
  }
  return absl::OkStatus();
}

namespace {

// Margins of the given domains with inherited slopes, float32, one pass.
absl::StatusOr<std::vector<double>> QuickBounds(Run& run, SharedRoot& root,
                                                const std::vector<Domain>& children) {
  auto& backend = run.plan.backend();
  std::vector<const Domain*> pointers;
  for (const Domain& child : children) pointers.push_back(&child);
  DomainBatch<float> batch(run, root);
  ESPALIER_RETURN_IF_ERROR(batch.Load(pointers));
  const auto count = static_cast<int64_t>(children.size());
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  bounds::BackwardPass<float> pass(run.plan);
  ESPALIER_RETURN_IF_ERROR(pass.Run(batch.Input(), {.bound = bound.data()}));
  std::vector<double> host(children.size());
  backend.Download(bound.data(), count * 8, host.data());
  return host;
}

// Gains count up to the point where the child is refuted; both children matter, the weaker one more.
double BranchValue(double parent, double first, double second) {
  const double weak = std::min({first, second, 0.0}) - parent;
  const double strong = std::min(std::max(first, second), 0.0) - parent;
  return weak + 0.1 * strong;
}

}  // namespace

absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, SharedRoot& root, const std::vector<Domain>& domains,
                                              int64_t rows_per_pass) {
  PhaseTimer timer(run.statistics, "branch");
  std::vector<int> choice(domains.size(), -1);
  std::vector<double> best(domains.size(), -INFINITY);
  std::vector<Domain> children;
  std::vector<std::pair<size_t, int>> owner;  // domain and candidate of each pair of children
  const auto flush = [&]() -> absl::Status {
    if (children.empty()) return absl::OkStatus();
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound, QuickBounds(run, root, children));
    for (size_t k = 0; k < owner.size(); ++k) {
      const auto [d, c] = owner[k];
      const double value = BranchValue(domains[d].bound, bound[2 * k], bound[2 * k + 1]);
      if (value > best[d] || choice[d] < 0) best[d] = value, choice[d] = c;
    }
    children.clear();
    owner.clear();
    return absl::OkStatus();
  };
  for (size_t d = 0; d < domains.size(); ++d) {
    if (domains[d].candidates.size() == 1) choice[d] = 0;
    if (domains[d].candidates.size() < 2) continue;
    for (size_t c = 0; c < domains[d].candidates.size(); ++c) {
      children.push_back(MakeChild(domains[d], domains[d].candidates[c], +1));
      children.push_back(MakeChild(domains[d], domains[d].candidates[c], -1));
      owner.emplace_back(d, static_cast<int>(c));
    }
    if (static_cast<int64_t>(children.size()) >= rows_per_pass) ESPALIER_RETURN_IF_ERROR(flush());
  }
  ESPALIER_RETURN_IF_ERROR(flush());
  return choice;
}

}  // namespace espalier::search
