#include "verifier/search/part_root.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/half_space.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/reweight.h"

namespace espalier::search {
namespace {

// A root is refined again as long as so many rounds like the last one would do.
constexpr double kRoundsAhead = 12;
constexpr int64_t kMostCandidates = 1000;

// The domain as the unstable neurons of another root number it, which are some of those of the root that it
// came from. A side of a neuron that is none of them is what the new root's bounds say anyway.
Domain Renumbered(const Domain& domain, const SharedRoot& from, const SharedRoot& to) {
  Domain result = domain;
  result.splits.clear();
  result.slopes.clear();
  result.candidates.clear();
  size_t offset = 0;
  for (size_t a = 0; a < from.bounds.layers.size(); ++a) {
    const std::vector<int32_t>& before = from.relaxation64.unstable(static_cast<int>(a));
    const std::vector<int32_t>& now = to.relaxation64.unstable(static_cast<int>(a));
    std::vector<int32_t> number(before.size(), -1);
    for (size_t j = 0, k = 0; j < before.size() && k < now.size(); ++j) {
      if (before[j] == now[k]) number[j] = static_cast<int32_t>(k++);
    }
    for (size_t j = 0; j < before.size() && !domain.slopes.empty(); ++j) {
      if (number[j] >= 0) result.slopes.push_back(domain.slopes[offset + j]);
    }
    offset += before.size();
    for (const Split& split : domain.splits) {
      if (split.layer != static_cast<int16_t>(a) || number[static_cast<size_t>(split.unstable)] < 0) continue;
      result.splits.push_back(split);
      result.splits.back().unstable = number[static_cast<size_t>(split.unstable)];
    }
  }
  return result;
}

class Maker {
 public:
  Maker(Run& run, PartRoot& part, int rounds) : run_(run), part_(part), rounds_(rounds) {}

  absl::Status Make(const SharedRoot& from, std::vector<Domain> domains);

 private:
  // Takes `bounds` as the part's, with the domains, which `from` numbers, bounded there.
  absl::Status Rebuild(const SharedRoot& from, std::vector<Domain> domains);
  absl::Status BoundOpen();

  Run& run_;
  PartRoot& part_;
  const int rounds_;
  bounds::DomainBounds bounds_;
  bounds::RowDetails details_;
  double margin_ = 0;                          // of a single domain, certified
  const bounds::HalfSpace* inside_ = nullptr;  // where the bounds hold
};

absl::Status Maker::BoundOpen() {
  std::vector<Domain>& open = part_.open;
  std::vector<double> known;
  for (const Domain& domain : open) known.push_back(domain.bound);
  const int64_t candidates = std::min(part_.root.slope_count, kMostCandidates);
  ESPALIER_RETURN_IF_ERROR(
      part_.bounder->Optimise(open, {.iterations = std::max<int64_t>(1, run_.options.alpha_iterations),
                                     .candidates = candidates,
                                     .corners = run_.options.attack != 0}));
  ESPALIER_RETURN_IF_ERROR(Reweight(run_, part_.root, open));
  std::vector<const Domain*> pointers;
  for (const Domain& domain : open) pointers.push_back(&domain);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> certified,
                            CertifyDomains(run_, part_.root, pointers, nullptr, &details_));
  margin_ = certified[0];
  std::vector<Domain> left;
  for (size_t d = 0; d < open.size(); ++d) {
    double bound = certified[d];
    if (inside_ != nullptr) {
      bound = bounds::BoundInside(*inside_, {bound, details_.input_lambda.data(), details_.corner.data()},
                                  bounds_.boxes);
    }
    if (bound > 0) continue;
    // What float32 hoped for is no bound to go on from.
    open[d].bound = std::max(known[d], certified[d]);
    left.push_back(std::move(open[d]));
  }
  open = std::move(left);
  return absl::OkStatus();
}

absl::Status Maker::Rebuild(const SharedRoot& from, std::vector<Domain> domains) {
  ESPALIER_ASSIGN_OR_RETURN(SharedRoot root, SharedRoot::Make(run_.plan, bounds_));
  for (Domain& domain : domains) domain = Renumbered(domain, from, root);
  part_.bounder.reset();
  part_.root = std::move(root);
  part_.open = std::move(domains);
  ESPALIER_ASSIGN_OR_RETURN(part_.bounder, DomainBounder::Make(run_, part_.root));
  return BoundOpen();
}

absl::Status Maker::Make(const SharedRoot& from, std::vector<Domain> domains) {
  bounds_ = from.bounds;
  bounds::RefineSettings settings;
  settings.iterations = run_.options.intermediate_iterations;
  settings.sides = SidesOf(from, domains[0]);
  for (const bounds::NeuronSide& side : settings.sides) {
    if (!bounds::TakeSide(side, bounds_.layers)) return absl::OkStatus();
  }
  // A plane is the first domain's, so it serves one that came alone only.
  const bool several = domains.size() > 1;
  ESPALIER_RETURN_IF_ERROR(Rebuild(from, std::move(domains)));
  if (several && settings.sides.empty()) return absl::OkStatus();
  bounds::HalfSpace unsafe;
  for (int round = 0; round < (several ? 1 : rounds_) && !part_.open.empty(); ++round) {
    if (!several) {
      unsafe =
          bounds::PlaneOf({margin_, details_.input_lambda.data(), details_.corner.data()}, bounds_.boxes);
      settings.inside = inside_ = &unsafe;
    }
    const absl::Status refined = bounds::RefineBounds(run_.plan, settings, run_.stop, bounds_);
    if (bounds::DoWithout(refined) || run_.stop.StopRequested()) return absl::OkStatus();
    ESPALIER_RETURN_IF_ERROR(refined);
    if (!bounds_.empty.empty()) part_.open.clear();
    if (part_.open.empty()) return absl::OkStatus();
    const double before = margin_;
    const SharedRoot last = std::move(part_.root);
    ESPALIER_RETURN_IF_ERROR(Rebuild(last, std::move(part_.open)));
    if (!(kRoundsAhead * (margin_ - before) > -margin_)) break;
  }
  return absl::OkStatus();
}

}  // namespace

double PartRoot::WorstBound() const {
  double worst = std::numeric_limits<double>::infinity();
  for (const Domain& domain : open) worst = std::min(worst, domain.bound);
  return worst;
}

std::vector<bounds::NeuronSide> SidesOf(const SharedRoot& root, const Domain& domain) {
  std::vector<bounds::NeuronSide> sides;
  for (const Split& split : domain.splits) {
    const std::vector<int32_t>& unstable = root.relaxation64.unstable(split.layer);
    sides.push_back({split.layer, unstable[static_cast<size_t>(split.unstable)], split.sign});
  }
  return sides;
}

absl::StatusOr<std::unique_ptr<PartRoot>> MakePartRoot(Run& run, const SharedRoot& from,
                                                       std::vector<Domain> domains, int rounds) {
  PhaseTimer timer(run.statistics, "condition");
  auto part = std::make_unique<PartRoot>();
  ESPALIER_RETURN_IF_ERROR(Maker(run, *part, rounds).Make(from, std::move(domains)));
  return part;
}

}  // namespace espalier::search
