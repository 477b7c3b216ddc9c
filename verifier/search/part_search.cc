#include "verifier/search/part_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "verifier/base/status.h"
#include "verifier/search/tightening.h"

namespace espalier::search {
namespace {

constexpr int kFirstRounds = 12;           // of the whole box's half-space
constexpr size_t kPerLayer = 4;            // neurons that may be tried
constexpr double kRootsPerTrial = 4;       // expected below the best pair so far, for each further trial
constexpr double kDomainsPerNeuron = 0.5;  // what a root costs
constexpr double kLeastSharper = 0.02;     // of what is missing

// How rows are split when a part is made sharper for the first time, the second, ..., and how many roots that
// costs.
struct Sharper {
  bounds::RowSplits splits;
  int64_t roots = 0;
  bool by_worth = false;  // rows that little is owed to are split once
};
constexpr Sharper kSharper[] = {
    {{.rounds = 5, .iterations = 4}, 12, true},
    {{.rounds = 31, .iterations = 8}, 80},
    {{.rounds = 127, .iterations = 8}, 320},
};

int64_t RootCost(const PartRoot& part) {
  return static_cast<int64_t>(kDomainsPerNeuron * static_cast<double>(part.root.slope_count)) + 1;
}

// log2 of the roots below a pair whose halves gain these shares of what is missing.
double LogRoots(double first, double second) {
  first = std::min(first, 1.0);
  second = std::min(second, 1.0);
  if (!(first > 1e-4) || !(second > 1e-4)) return std::numeric_limits<double>::infinity();
  // 2^(-x·first) + 2^(-x·second) falls with x, and is 1 where x is the answer.
  double low = 0, high = 1.0 / std::min(first, second);
  for (int k = 0; k < 60; ++k) {
    const double x = 0.5 * (low + high);
    (std::exp2(-x * first) + std::exp2(-x * second) > 1 ? low : high) = x;
  }
  return high;
}

// log2 of the domains that two roots cost.
double LogTrial(const PartRoot& part) {
  return std::log2(static_cast<double>(2 * RootCost(part)));
}

const Domain* DomainOf(const PartRoot& part, int32_t target) {
  for (const Domain& domain : part.open) {
    if (domain.target == target) return &domain;
  }
  return nullptr;
}

}  // namespace

PartSearch::PartSearch(Run& run, RootResult& shared, std::vector<Domain> starts, double share,
                       const DivideRule& rule)
    : run_(run), shared_(shared), starts_(std::move(starts)), share_(share), rule_(rule) {
  // What was made for all targets is made once more for this one.
  sharpened_ = std::max(shared.sharpened - 1, 0);
}

PartSearch::Part PartSearch::PartOf(std::unique_ptr<PartRoot> root) const {
  Part part;
  part.bound = part.bound_before = root->WorstBound();
  part.next = RootCost(*root) / rule_.first_look + 1;
  part.root = std::move(root);
  return part;
}

// log2 of the domains in all when each doubling goes on to lift the bound by `lift`.
double PartSearch::LogDomainsLeft(const Part& part, double lift) const {
  const double now = part.bab->WorstBound();
  if (!(now < 0)) return 0;
  if (!(lift > 0)) return std::numeric_limits<double>::infinity();
  const std::vector<Domain>& open = part.root->open;
  const auto targets = static_cast<double>(std::count_if(
      open.begin(), open.end(), [&](const Domain& domain) { return part.bab->IsOpen(domain.target); }));
  return std::log2(static_cast<double>(part.domains) / targets + 1) - now / lift + std::log2(targets);
}

absl::Status PartSearch::Prepare() {
  if (prepared()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(prepared_, MakePartRoot(run_, shared_, starts_, kFirstRounds));
  return absl::OkStatus();
}

absl::StatusOr<SearchEnd> PartSearch::Begin() {
  ESPALIER_RETURN_IF_ERROR(Prepare());
  if (run_.stop.StopRequested()) return SearchEnd::kStopped;
  std::unique_ptr<PartRoot> root = std::move(prepared_);
  begun_ = true;
  for (const Domain& start : starts_) {
    if (DomainOf(*root, start.target) == nullptr) run_.Refute(static_cast<size_t>(start.target));
  }
  if (root->open.empty()) return SearchEnd::kExhausted;
  divisible_ = root->bounder->reduced() && run_.options.intermediate_iterations > 0;
  const std::string who =
      starts_.size() == 1 ? absl::StrCat("disjunct ", starts_[0].target, " alone") : "all disjuncts";
  run_.Explain(absl::StrCat("branch and bound for ", who, " over ", root->root.slope_count,
                            " unstable neurons",
                            root->bounder->reduced() ? ", on the neurons that are alive there," : "",
                            " on box ", run_.problem.targets[static_cast<size_t>(starts_[0].target)].box));
  parts_.push_back(PartOf(std::move(root)));
  parts_.back().sharpened = sharpened_;
  return SearchEnd::kBudget;
}

absl::StatusOr<SearchEnd> PartSearch::SearchPart(Part& part, int64_t domains) {
  if (part.bab != nullptr) return part.bab->Resume(domains);
  // A single part stands for its targets, and refutes them as they are closed.
  part.bab = std::make_unique<ReluBab>(run_, part.root->root, ratings_,
                                       ReluBab::Of{share_, /*part=*/divided_, std::move(part.root->bounder)});
  std::vector<Domain> starts;
  for (const Domain& domain : part.root->open) {
    const auto left = left_.find(domain.target);
    if (left == left_.end()) {
      starts.push_back(domain);
      continue;
    }
    part.bab->Restore(left->second, domain);
    left_.erase(left);
  }
  return part.bab->Search(std::move(starts), domains);
}

// At a leaf the program's optimum may lie where the part's bounds do not hold: those of the whole box decide,
// to the end, in the part's.
absl::StatusOr<SearchEnd> PartSearch::SearchOverBox(Part& part) {
  std::map<int32_t, SplitParts> open;
  part.bab->Save(open);
  bounds::DomainBounds bounds = shared_.root.bounds;
  bounds.boxes = part.root->root.bounds.boxes;
  ESPALIER_ASSIGN_OR_RETURN(SharedRoot over_box, SharedRoot::Make(run_.plan, std::move(bounds)));
  part.bab.reset();
  part.over_box = std::make_unique<SharedRoot>(std::move(over_box));
  part.bab =
      std::make_unique<ReluBab>(run_, *part.over_box, ratings_, ReluBab::Of{share_, /*part=*/true, nullptr});
  for (const Domain& start : starts_) {
    const auto left = open.find(start.target);
    if (left != open.end()) part.bab->Restore(left->second, start);
  }
  return part.bab->Search({});
}

std::vector<Domain> PartSearch::StillOpen(const Part& part) const {
  std::vector<Domain> open;
  for (const Domain& domain : part.root->open) {
    if (part.bab->IsOpen(domain.target)) open.push_back(domain);
  }
  return open;
}

absl::StatusOr<PartSearch::Halves> PartSearch::HalveAt(const Part& part, const std::vector<Domain>& open,
                                                       const Candidate& split) {
  Halves halves;
  halves.log_roots = 0;
  halves.of_input = split.layer == kInputLayer;
  std::vector<std::vector<double>> gains(open.size());
  ESPALIER_ASSIGN_OR_RETURN(std::vector<std::unique_ptr<PartRoot>> roots,
                            MakeHalves(run_, *part.root, open, split));
  for (std::unique_ptr<PartRoot>& root : roots) {
    run_.Count("part_roots", 1);
    spent_ += RootCost(*part.root);
    for (size_t d = 0; d < open.size(); ++d) {
      const Domain* child = DomainOf(*root, open[d].target);
      gains[d].push_back(child == nullptr ? 1.0 : (child->bound - open[d].bound) / -open[d].bound);
    }
    if (!root->open.empty()) halves.parts.push_back(PartOf(std::move(root)));
  }
  for (const std::vector<double>& g : gains)  // the target that needs most: they share the roots
    halves.log_roots = std::max(halves.log_roots, LogRoots(g[0], g[1]));
  return halves;
}

// Trials cost at most what the branch and bound of the part has cost so far, until they have been worth it
// somewhere, and never more than what is expected below the best pair.
double PartSearch::MostTrials(const Part& part, double log_advantage) const {
  const double worth =
      std::min(std::exp2(log_advantage), std::exp2(part.trials.best.log_roots) / kRootsPerTrial + 1);
  if (divided_) return worth;
  const int64_t afforded = 1 + part.domains / (32 * RootCost(*part.root));
  return std::min(worth, static_cast<double>(afforded));
}

absl::Status PartSearch::TryHalves(Part& part, double log_advantage) {
  Trials& trials = part.trials;
  if (!trials.begun) {
    trials.begun = true;
    const bool inputs = run_.options.input_split != 0 && part.root->root.slope_count > rule_.few_neurons;
    ESPALIER_ASSIGN_OR_RETURN(trials.left, TighteningSplits(run_, *part.root, kPerLayer, inputs));
  }
  const std::vector<Domain> open = StillOpen(part);
  while (!trials.left.empty() && static_cast<double>(trials.made) < MostTrials(part, log_advantage)) {
    const auto next = experience_.Best(trials.left, trials.made == 0);
    ESPALIER_ASSIGN_OR_RETURN(Halves halves, HalveAt(part, open, *next));
    if (run_.stop.StopRequested()) return absl::OkStatus();
    ++trials.made;
    experience_.Note(*next, halves.log_roots);
    trials.left.erase(next);
    if (halves.log_roots < trials.best.log_roots) trials.best = std::move(halves);
  }
  return absl::OkStatus();
}

void PartSearch::Divide() {
  divided_ = true;
  if (parts_.back().trials.best.of_input) run_.Count("divided_at_inputs", 1);
  std::vector<Part> halves = std::move(parts_.back().trials.best.parts);
  const std::unique_ptr<ReluBab> bab = std::move(parts_.back().bab);
  parts_.pop_back();
  for (Part& half : halves) {  // targets may have been refuted since
    std::erase_if(half.root->open, [&](const Domain& domain) { return !bab->IsOpen(domain.target); });
  }
  std::erase_if(halves, [](const Part& half) { return half.root->open.empty(); });
  // The worse half is searched first: a counterexample is more likely there.
  std::sort(halves.begin(), halves.end(), [](const Part& x, const Part& y) { return x.bound > y.bound; });
  for (Part& half : halves) parts_.push_back(std::move(half));
}

double PartSearch::LeastToSharpen() const {
  const Part& part = parts_.back();
  const PartRoot& root = *part.root;
  const int times = part.sharpened;
  const int most = divided_ ? 1 : static_cast<int>(std::size(kSharper));
  if (times >= most || part.sharp_enough || run_.options.cuts == 0)
    return std::numeric_limits<double>::infinity();
  if (times == 0) {
    const bool paid = shared_.sharpening_paid && shared_.sharpened == 0;
    return LogTrial(root) + (paid ? rule_.sharpen_again_log : rule_.sharpen_log);
  }
  return std::log2(static_cast<double>(kSharper[times].roots * RootCost(root))) + rule_.split_log;
}

absl::StatusOr<bool> PartSearch::Sharpen(Part& part) {
  const Sharper& how = kSharper[part.sharpened];
  part.sharp_enough = true;  // unless it pays
  std::vector<Domain> open = StillOpen(part);
  const double before = part.root->WorstBound();
  bounds::RowSplits splits = how.splits;
  bounds::NeuronGains gains;
  if (how.by_worth) {
    PhaseTimer timer(run_, "sharpen");
    ESPALIER_ASSIGN_OR_RETURN(gains, LoosenessGains(run_, *part.root));
    splits.gains = &gains;
  }
  ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<PartRoot> root,
                            MakeSharper(run_, *part.root, open, kFirstRounds, splits));
  spent_ += how.roots * RootCost(*part.root);
  if (run_.stop.StopRequested() || root->points == nullptr) return false;
  const double after = std::min(root->WorstBound(), 0.0);
  const bool better = after > before + kLeastSharper * -before;
  run_.Explain(
      absl::StrFormat("cuts and splits in the bounds of all layers lift the bound from %.4g to %.4g: %s",
                      before, after, better ? "used" : "not used"));
  if (!better) return false;
  const int times = part.sharpened + 1;
  if (!divided_) sharpened_ = times;
  shared_.sharpening_paid = true;
  run_.Count("sharpened", 1);
  for (const Domain& domain : open) {
    if (!divided_ && DomainOf(*root, domain.target) == nullptr)
      run_.Refute(static_cast<size_t>(domain.target));
  }
  parts_.pop_back();
  if (!root->open.empty()) {
    parts_.push_back(PartOf(std::move(root)));
    parts_.back().sharpened = times;
  }
  return true;
}

// Goes on below the part's root for another doubling, or divides the part.
absl::Status PartSearch::LookAtProgress(Part& part) {
  const double now = part.bab->WorstBound();
  const auto times = static_cast<double>(part.domains) / static_cast<double>(part.domains_before);
  const double lift = (now - part.bound_before) / std::log2(times);
  part.bound_before = now;
  part.domains_before = part.domains;
  part.next = std::max(RootCost(*part.root) / rule_.first_look + 1, 2 * part.domains);
  const double search = LogDomainsLeft(part, lift), trial = LogTrial(*part.root);
  if (!divisible_) return absl::OkStatus();
  if (part.sharpened == 0 && search >= LeastToSharpen()) {
    ESPALIER_ASSIGN_OR_RETURN(const bool sharper, Sharpen(part));
    if (sharper) return absl::OkStatus();
  }
  if (run_.stop.StopRequested() || search < trial + rule_.trial_log) return absl::OkStatus();
  ESPALIER_RETURN_IF_ERROR(TryHalves(part, search - trial - rule_.trial_log));
  if (run_.stop.StopRequested()) return absl::OkStatus();
  const double roots = part.trials.best.log_roots;
  const double advantage =
      (part.domains < rule_.late * RootCost(*part.root) ? rule_.early_log : rule_.late_log) +
      (part.trials.best.of_input ? 0 : rule_.neuron_log);
  // To split rows more often is an alternative to roots of parts.
  const double least = LeastToSharpen();
  if (search >= least && roots + trial + advantage > least) {
    return Sharpen(part).status();
  }
  if (!(roots + trial + advantage < search)) return absl::OkStatus();
  if (!divided_) {
    run_.Explain(absl::StrCat("roots of parts: about 2^", std::lround(roots),
                              " of them, where branch and bound would need 2^",
                              std::lround(std::min(search, 999.0)), " domains"));
  }
  Divide();
  return absl::OkStatus();
}

void PartSearch::GiveSharper() {
  if (sharpened_ <= shared_.sharpened || parts_.size() != 1 || !parts_[0].root->everywhere) return;
  Part part = std::move(parts_[0]);
  shared_.open = part.bab != nullptr ? StillOpen(part) : part.root->open;
  part.bab.reset();
  part.root->bounder.reset();
  shared_.root = std::move(part.root->root);
  shared_.memory = std::move(part.root->memory);
  shared_.points = std::move(part.root->points);
  shared_.sharpened = sharpened_;
  run_.Count("sharpened_for_all", 1);
  parts_.clear();
}

void PartSearch::Finish(SearchEnd end) {
  if (end == SearchEnd::kNumerical) {
    std::map<int32_t, SplitParts> open;
    SavedOrigins saved;
    SavePart(parts_.back(), saved, open);
    for (const auto& [target, left] : open) undecided_[target].Append(left);
  }
  parts_.pop_back();
}

// One piece of work on the last part; `end` becomes the part's, if it ends.
absl::Status PartSearch::TakeStep(int64_t domains, SearchEnd& end) {
  Part& part = parts_.back();
  if (part.domains >= part.next) return LookAtProgress(part);
  const int64_t before = run_.statistics.domains, until = part.next - part.domains;
  ESPALIER_ASSIGN_OR_RETURN(end, SearchPart(part, domains > 0 ? std::min(until, domains) : until));
  if (end == SearchEnd::kNumerical) {
    ESPALIER_ASSIGN_OR_RETURN(end, SearchOverBox(part));
  }
  part.domains += run_.statistics.domains - before;
  spent_ += run_.statistics.domains - before;
  return absl::OkStatus();
}

absl::StatusOr<SearchEnd> PartSearch::Turn(int64_t domains) {
  PhaseTimer timer(run_, "search");
  const int64_t end_at = spent_ + domains;
  if (!begun_) {
    ESPALIER_ASSIGN_OR_RETURN(const SearchEnd begun, Begin());
    if (begun != SearchEnd::kBudget) return begun;
  }
  while (!parts_.empty()) {
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (domains > 0 && spent_ >= end_at) return SearchEnd::kBudget;
    SearchEnd end = SearchEnd::kBudget;
    ESPALIER_RETURN_IF_ERROR(TakeStep(domains > 0 ? end_at - spent_ : 0, end));
    if (end == SearchEnd::kBudget) continue;
    if (end != SearchEnd::kExhausted && end != SearchEnd::kNumerical) return end;
    Finish(end);
  }
  for (const Domain& start : starts_) {
    if (undecided_.count(start.target) == 0) run_.Refute(static_cast<size_t>(start.target));
  }
  return undecided_.empty() ? SearchEnd::kExhausted : SearchEnd::kNumerical;
}

// Sides say nothing of inputs: a part of the box is saved as what it was on the whole one.
void PartSearch::SavePart(const Part& part, SavedOrigins& saved, std::map<int32_t, SplitParts>& open) const {
  const auto* origin = part.root->origin.get();
  if (part.bab != nullptr && origin == nullptr) return part.bab->Save(open);
  for (const Domain& domain : part.bab != nullptr ? StillOpen(part) : part.root->open) {
    const int32_t target = domain.target;
    if (left_.count(target) != 0) continue;
    if (origin == nullptr) {
      AppendTo(run_, part.root->root, domain, open[target]);
    } else if (saved.insert({origin, target}).second) {
      open[target].Append(origin->at(target));
    }
  }
}

void PartSearch::Save(std::map<int32_t, SplitParts>& open) const {
  for (const auto& [target, left] : left_) open[target].Append(left);
  for (const auto& [target, left] : undecided_) open[target].Append(left);
  SavedOrigins saved;
  for (const Part& part : parts_) SavePart(part, saved, open);
}

}  // namespace espalier::search
