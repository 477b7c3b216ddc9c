#include "verifier/search/branching.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

absl::StatusOr<std::vector<int>> ChooseBranch(Run& run, SharedRoot& root, DomainBounder& bounder,
                                              std::vector<Domain>& domains, int64_t rows_per_pass) {
  PhaseTimer timer(run.statistics, "branch");
  std::vector<int> choice(domains.size(), -1);
  std::vector<double> best(domains.size(), -INFINITY);
  std::vector<Probe> probes;
  std::vector<std::pair<size_t, int>> owner;  // domain and candidate of each pair of children
  const auto flush = [&]() -> absl::Status {
    if (probes.empty()) return absl::OkStatus();
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound, bounder.LookAhead(probes));
    for (size_t k = 0; k < owner.size(); ++k) {
      const auto [d, c] = owner[k];
      const double value = BranchValue(domains[d].bound, bound[2 * k], bound[2 * k + 1]);
      if (value > best[d] || choice[d] < 0) best[d] = value, choice[d] = c;
    }
    probes.clear();
    owner.clear();
    return absl::OkStatus();
  };
  for (size_t d = 0; d < domains.size(); ++d) {
    if (domains[d].candidates.empty()) AddAnyUnsplit(root, domains[d]);
    if (domains[d].candidates.size() == 1) choice[d] = 0;
    if (domains[d].candidates.size() < 2) continue;
    for (size_t c = 0; c < domains[d].candidates.size(); ++c) {
      probes.push_back({&domains[d], domains[d].candidates[c], +1});
      probes.push_back({&domains[d], domains[d].candidates[c], -1});
      owner.emplace_back(d, static_cast<int>(c));
    }
    if (static_cast<int64_t>(probes.size()) >= rows_per_pass) ESPALIER_RETURN_IF_ERROR(flush());
  }
  ESPALIER_RETURN_IF_ERROR(flush());
  return choice;
}

}  // namespace espalier::search
