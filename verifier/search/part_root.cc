#include "verifier/search/part_root.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "verifier/base/status.h"
#include "verifier/bounds/half_space.h"
#include "verifier/bounds/refine.h"
#include "verifier/search/relu_bab.h"
#include "verifier/search/reweight.h"

namespace espalier::search {
namespace {

// A root is refined again as long as so many rounds like the last one would do.
constexpr double kRoundsAhead = 12;
constexpr int64_t kMostCandidates = 1000;
constexpr int kMostCutRounds = 4;
constexpr double kLeastRoundGain = 0.1;  // of the first round's
constexpr double kLeastDoublings = 8;    // that a search is taken to need
constexpr double kLeastCutGain = 0.02;   // less is what other choices on the way make or lose
constexpr int64_t kWarmIterations = 8;   // of rows that begin where those of another root have ended

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

// For what is refined below `part` on the sides of `domain`, whose rows begin where those of `start` have
// ended.
bounds::RefineSettings SettingsOn(const PartRoot& part, const Domain& domain,
                                  const bounds::RefineMemory& start) {
  bounds::RefineSettings settings;
  settings.from = part.root.left.get();
  settings.sides = SidesOf(part.root, domain);
  settings.start = &start;
  settings.points = part.points.get();
  return settings;
}

void HalveInput(size_t input, int8_t sign, bounds::InputBoxes& boxes) {
  const double middle = 0.5 * boxes.lower[input] + 0.5 * boxes.upper[input];
  (sign > 0 ? boxes.lower : boxes.upper)[input] = middle;
}

Domain ChildOf(const Domain& parent, const Candidate& split, int8_t sign) {
  if (split.layer != kInputLayer) return MakeChild(parent, split, sign);
  Domain child = parent;
  child.candidates.clear();
  child.corner.clear();
  return child;
}

// What PartRoot::origin says of halves of a part that is not one of them.
std::shared_ptr<const std::map<int32_t, SplitParts>> WholeBoxPart(const Run& run, const PartRoot& part) {
  auto parts = std::make_shared<std::map<int32_t, SplitParts>>();
  for (const Domain& domain : part.open) AppendTo(run, part.root, domain, (*parts)[domain.target]);
  return parts;
}

class Maker {
 public:
  Maker(Run& run, PartRoot& part) : run_(run), part_(part) {}

  absl::Status MakeFirst(const RootResult& from, std::vector<Domain> domains, int rounds);
  absl::Status MakeHalf(const PartRoot& parent, std::vector<Domain> children, const Candidate& split,
                        int8_t sign);
  absl::Status MakeSharper(const PartRoot& part, std::vector<Domain> open, int rounds,
                           const bounds::RowSplits& splits);

 private:
  absl::Status GoOn(int rounds);
  // Refines the bounds under `settings`; false: they stay as they are.
  absl::StatusOr<bool> Refine(bounds::RefineSettings settings);
  // Takes the bounds as the part's, with the domains, which `from` numbers, bounded there.
  absl::Status Rebuild(const SharedRoot& from, std::vector<Domain> domains);
  absl::Status BoundOpen();
  absl::Status Optimise(bool point);
  absl::StatusOr<int> MakeCuts();
  // Bounds the open domains once more with cuts, and goes on with these where they pay.
  absl::Status TryCuts();
  void NoteCuts(double before, double after, double work);

  Run& run_;
  PartRoot& part_;
  bounds::DomainBounds bounds_;
  double margin_ = 0;                        // of the first domain, certified
  bool cut_ = false;                         // the part's bounder has cuts
  std::optional<bounds::HalfSpace> inside_;  // where the bounds hold
};

absl::Status Maker::Optimise(bool point) {
  return part_.bounder->Optimise(part_.open,
                                 {.iterations = std::max<int64_t>(1, run_.options.alpha_iterations),
                                  .candidates = std::min(part_.root.slope_count, kMostCandidates),
                                  .corners = run_.options.attack != 0,
                                  .point = point});
}

// Planes at the optimum without cuts, then toward those at the optimum with them, as long as that gains a
// part of what the first did. The number of rounds; the open domains are bounded with the last one's.
absl::StatusOr<int> Maker::MakeCuts() {
  double before = part_.WorstBound(), first = 0;
  for (int round = 0; round < kMostCutRounds; ++round) {
    ESPALIER_ASSIGN_OR_RETURN(const bool made, part_.bounder->Cut(part_.open));
    if (!made) return round;
    ESPALIER_RETURN_IF_ERROR(Optimise(/*point=*/true));
    const double gain = part_.WorstBound() - before;
    before += gain;
    if (round == 0) first = gain;
    if (!(before < 0) || gain < kLeastRoundGain * first) return round + 1;
  }
  return kMostCutRounds;
}

// Domains number 2^(what is missing / what a doubling lifts): cuts that add the share g of what is missing
// leave 2^(D·(1 - g)) of 2^D, each of which costs more.
absl::Status Maker::TryCuts() {
  const double before = part_.WorstBound();
  if (!(before < 0)) return absl::OkStatus();
  std::vector<Domain> uncut = part_.open;
  ESPALIER_ASSIGN_OR_RETURN(const int rounds, MakeCuts());
  if (rounds == 0) return absl::OkStatus();
  const double after = part_.WorstBound(), work = part_.bounder->CutWork();
  const double gain = (after - before) / -before;
  const bool first = part_.cuts == Cuts::kUntried;
  cut_ = gain > (first ? kLeastCutGain : 0) && kLeastDoublings * gain > std::log2(work);
  if (first) {
    part_.cuts = cut_ ? Cuts::kUsed : Cuts::kNone;
    NoteCuts(before, after, work);
  }
  if (cut_) return absl::OkStatus();
  part_.bounder->Uncut();
  part_.open = std::move(uncut);
  return absl::OkStatus();
}

void Maker::NoteCuts(double before, double after, double work) {
  run_.Explain(absl::StrFormat("cuts lift the bound from %.4g to %.4g for passes of %.2f times the work: %s",
                               before, after, work, cut_ ? "used" : "not used"));
}

absl::Status Maker::BoundOpen() {
  std::vector<Domain>& open = part_.open;
  std::vector<double> known;
  // What a root before this one knew would hide what cuts gain here.
  for (Domain& domain : open) {
    known.push_back(std::exchange(domain.bound, -std::numeric_limits<double>::infinity()));
  }
  cut_ = false;
  const bool with_cuts = run_.options.cuts != 0 && part_.cuts != Cuts::kNone;
  ESPALIER_RETURN_IF_ERROR(Optimise(with_cuts));
  if (with_cuts) ESPALIER_RETURN_IF_ERROR(TryCuts());
  ESPALIER_RETURN_IF_ERROR(Reweight(run_, part_.root, open));
  std::vector<const Domain*> pointers;
  for (const Domain& domain : open) pointers.push_back(&domain);
  bounds::RowDetails details;
  std::vector<double> certified;
  if (cut_) {
    ESPALIER_ASSIGN_OR_RETURN(certified, part_.bounder->Certify(pointers, &details));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(certified, CertifyDomains(run_, part_.root, pointers, nullptr, &details));
  }
  margin_ = certified[0];
  // A plane is one target's, so it serves one that came alone only.
  part_.plane.reset();
  if (open.size() == 1) {
    part_.plane =
        bounds::PlaneOf({margin_, details.input_lambda.data(), details.corner.data()}, bounds_.boxes);
  }
  std::vector<Domain> left;
  for (size_t d = 0; d < open.size(); ++d) {
    double bound = certified[d];
    if (inside_.has_value()) {
      bound = bounds::BoundInside(*inside_, {bound, details.input_lambda.data(), details.corner.data()},
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
  ESPALIER_ASSIGN_OR_RETURN(part_.bounder, DomainBounder::Make(run_, part_.root, &from));
  return BoundOpen();
}

absl::StatusOr<bool> Maker::Refine(bounds::RefineSettings settings) {
  const bool warm = settings.start != nullptr && !settings.start->empty();
  settings.iterations = run_.options.intermediate_iterations;
  if (warm) settings.iterations = std::min(settings.iterations, kWarmIterations);
  bounds::RefineMemory memory;
  settings.keep = &memory;
  settings.inside = inside_.has_value() ? &*inside_ : nullptr;
  const absl::Status refined = bounds::RefineBounds(run_.plan, settings, run_.stop, bounds_);
  if (bounds::DoWithout(refined) || run_.stop.StopRequested()) return false;
  ESPALIER_RETURN_IF_ERROR(refined);
  part_.memory = std::move(memory);
  return true;
}

absl::Status Maker::MakeFirst(const RootResult& from, std::vector<Domain> domains, int rounds) {
  bounds_ = from.root.bounds;
  part_.memory = from.memory;
  part_.points = from.points;
  part_.everywhere = true;
  ESPALIER_RETURN_IF_ERROR(Rebuild(from.root, std::move(domains)));
  return GoOn(rounds);
}

// Further rounds, each from the last one's half-space.
absl::Status Maker::GoOn(int rounds) {
  for (int round = 0; round < rounds && part_.plane.has_value() && !part_.open.empty(); ++round) {
    inside_ = part_.plane;
    part_.everywhere = false;
    const bounds::RefineMemory before = std::move(part_.memory);
    ESPALIER_ASSIGN_OR_RETURN(const bool refined, Refine(SettingsOn(part_, part_.open[0], before)));
    if (!refined) return absl::OkStatus();
    if (!bounds_.empty.empty()) part_.open.clear();
    if (part_.open.empty()) return absl::OkStatus();
    const double last_margin = margin_;
    const SharedRoot last = std::move(part_.root);
    ESPALIER_RETURN_IF_ERROR(Rebuild(last, std::move(part_.open)));
    if (!(kRoundsAhead * (margin_ - last_margin) > -margin_)) break;
  }
  return absl::OkStatus();
}

absl::Status Maker::MakeHalf(const PartRoot& parent, std::vector<Domain> children, const Candidate& split,
                             int8_t sign) {
  bounds_ = parent.root.bounds;
  part_.cuts = parent.cuts;
  const bool of_input = split.layer == kInputLayer;
  if (of_input) HalveInput(static_cast<size_t>(split.unstable), sign, bounds_.boxes);
  bounds::RefineSettings settings = SettingsOn(parent, children[0], parent.memory);
  for (const bounds::NeuronSide& side : settings.sides) {
    if (!bounds::TakeSide(side, bounds_.layers)) return absl::OkStatus();
  }
  part_.points = parent.points;
  // Rows up to the split neuron's own layer do not meet it.
  if (!parent.memory.empty() && !of_input) settings.first = split.layer + 1;
  // What is searched for on this side lies where the parent's margin can be negative.
  if (children.size() == 1) inside_ = parent.plane;
  ESPALIER_ASSIGN_OR_RETURN(const bool refined, Refine(settings));
  if (run_.stop.StopRequested() || (refined && !bounds_.empty.empty())) return absl::OkStatus();
  return Rebuild(parent.root, std::move(children));
}

absl::Status Maker::MakeSharper(const PartRoot& part, std::vector<Domain> open, int rounds,
                                const bounds::RowSplits& splits) {
  bounds_ = part.root.bounds;
  bounds::CutPoints points;
  bounds::RefineSettings settings = SettingsOn(part, open[0], part.memory);
  settings.found_points = &points;
  settings.splits = splits;
  if (open.size() == 1) inside_ = part.plane;
  part_.everywhere = part.everywhere && !inside_.has_value();
  ESPALIER_ASSIGN_OR_RETURN(const bool refined, Refine(settings));
  if (!refined || points.neuron.empty()) return absl::OkStatus();
  part_.points = std::make_shared<const bounds::CutPoints>(std::move(points));
  if (!bounds_.empty.empty()) return absl::OkStatus();
  ESPALIER_RETURN_IF_ERROR(Rebuild(part.root, std::move(open)));
  return GoOn(rounds);
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

absl::StatusOr<std::unique_ptr<PartRoot>> MakePartRoot(Run& run, const RootResult& from,
                                                       std::vector<Domain> domains, int rounds) {
  PhaseTimer timer(run, "condition");
  auto part = std::make_unique<PartRoot>();
  ESPALIER_RETURN_IF_ERROR(Maker(run, *part).MakeFirst(from, std::move(domains), rounds));
  return part;
}

absl::StatusOr<std::unique_ptr<PartRoot>> MakeSharper(Run& run, const PartRoot& part,
                                                      std::vector<Domain> open, int rounds,
                                                      const bounds::RowSplits& splits) {
  PhaseTimer timer(run, "sharpen");
  auto sharper = std::make_unique<PartRoot>();
  sharper->origin = part.origin;
  ESPALIER_RETURN_IF_ERROR(Maker(run, *sharper).MakeSharper(part, std::move(open), rounds, splits));
  return sharper;
}

absl::StatusOr<std::vector<std::unique_ptr<PartRoot>>> MakeHalves(Run& run, const PartRoot& parent,
                                                                  const std::vector<Domain>& open,
                                                                  const Candidate& split) {
  PhaseTimer timer(run, "condition");
  std::vector<std::unique_ptr<PartRoot>> halves(2);
  std::shared_ptr<const std::map<int32_t, SplitParts>> origin = parent.origin;
  if (origin == nullptr && split.layer == kInputLayer) origin = WholeBoxPart(run, parent);
  const auto make = [&](int8_t sign) {
    std::vector<Domain> children;
    for (const Domain& domain : open) children.push_back(ChildOf(domain, split, sign));
    std::unique_ptr<PartRoot>& half = halves[sign > 0 ? 0 : 1];
    half = std::make_unique<PartRoot>();
    half->origin = origin;
    return Maker(run, *half).MakeHalf(parent, std::move(children), split, sign);
  };
  ESPALIER_RETURN_IF_ERROR(run.plan.backend().Both([&] { return make(1); }, [&] { return make(-1); }));
  return halves;
}

}  // namespace espalier::search
