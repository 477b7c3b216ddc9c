#include "verifier/search/strategy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "verifier/base/memory_info.h"
#include "verifier/base/status.h"
#include "verifier/search/attack.h"
#include "verifier/search/box_work.h"
#include "verifier/search/frontier.h"
#include "verifier/search/input_bab.h"
#include "verifier/search/part_search.h"
#include "verifier/search/root.h"

namespace espalier::search {
namespace {

// Input splitting: full CROWN bounds of one box at most this much work.
constexpr double kMaxBoxFlops = 4e8;
constexpr size_t kFewBoxes = 8;
constexpr int64_t kFewUnstable = 24;
constexpr int64_t kTurnDomains = 2;   // of a target's first turn, per unstable neuron
constexpr int64_t kTrialDomains = 8;  // of all targets' together
// Work of the attacks: the first one is short where bounds are cheap, and as long as the second where they
// are not.
constexpr double kFirstAttackFlops = 1e9;
constexpr double kSecondAttackFlops = 4e10;
constexpr double kFirstAttackShare = 0.05;  // of the work of CROWN bounds
constexpr double kCheckpointRest = 20;      // a checkpoint's own time, at least so often between two

// The backend ends whatever it computes when the token fires: no error of the search.
bool StoppedIn(const absl::Status& status, const StopToken& stop) {
  return absl::IsCancelled(status) && stop.StopRequested();
}

api::Verdict Stopped(const StopToken& stop) {
  return stop.Reason() == StopReason::kCancelled
             ? api::Verdict::Unknown(api::Limit::kCancelled, "cancelled")
             : api::Verdict::Unknown(api::Limit::kTime, "the time limit was reached");
}

class Strategy {
 public:
  // `left`: of an earlier run, or a fresh one.
  Strategy(Run& run, Frontier left, const DivideRule& divide)
      : run_(run), left_(std::move(left)), divide_(divide) {}
  absl::StatusOr<api::Verdict> Decide();
  // What is open now.
  Frontier Left() const;

 private:
  absl::StatusOr<bool> SplitInputs() const;
  absl::StatusOr<int64_t> UnstableNeurons(int32_t box) const;
  bool WholeBoxUnsafe();
  absl::StatusOr<bool> AttackOpen(double flops, int64_t steps, uint64_t seed, bool give_up);
  absl::StatusOr<SearchEnd> Search();
  absl::StatusOr<SearchEnd> SearchBox(int32_t box, const std::vector<size_t>& targets);
  absl::StatusOr<SearchEnd> SearchInputs();
  absl::StatusOr<SearchEnd> SearchTogether(int64_t trial);
  absl::StatusOr<SearchEnd> SearchEach();
  std::unique_ptr<PartSearch> MakeSearch(std::vector<Domain> starts, double share);
  api::Verdict Conclude(SearchEnd end) const;
  void Explain(std::string sentence) { run_.Explain(std::move(sentence)); }

  Run& run_;
  Frontier left_;  // of what is not being searched
  const DivideRule divide_;
  // What is being searched, kept until its end so that it can be saved whenever a stop comes.
  std::unique_ptr<InputBab> inputs_;
  std::unique_ptr<RootResult> root_;
  std::unique_ptr<PartSearch> together_;
  std::vector<std::unique_ptr<PartSearch>> each_;
};

// Neurons that plain CROWN bounds leave unstable on a box.
absl::StatusOr<int64_t> Strategy::UnstableNeurons(int32_t box) const {
  const api::Box& b = run_.problem.boxes[static_cast<size_t>(box)];
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds bounds,
                            bounds::ComputeIntermediate(run_.plan, {1, b.lower, b.upper}, {}, run_.stop));
  ESPALIER_ASSIGN_OR_RETURN(const SharedRoot root, SharedRoot::Make(run_.plan, std::move(bounds)));
  return root.slope_count;
}

absl::StatusOr<bool> Strategy::SplitInputs() const {
  if (run_.options.input_split >= 0) return run_.options.input_split == 1;
  if (MostFreeInputs(run_.problem) > kMaxFreeInputs || BoxFlops(run_.plan) > kMaxBoxFlops) return false;
  // Few unstable neurons make a small tree with exact leaves; with many boxes the inputs are split already.
  if (run_.problem.boxes.size() > kFewBoxes) return true;
  for (size_t b = 0; b < run_.problem.boxes.size(); ++b) {
    ESPALIER_ASSIGN_OR_RETURN(const int64_t unstable, UnstableNeurons(static_cast<int32_t>(b)));
    if (unstable > kFewUnstable) return true;
  }
  return false;
}

// A disjunct without rows calls its whole box unsafe: any point is a witness.
bool Strategy::WholeBoxUnsafe() {
  for (const Target& target : run_.problem.targets) {
    if (target.rows > 0) continue;
    const api::Box& box = run_.problem.boxes[static_cast<size_t>(target.box)];
    std::vector<double> centre;
    for (size_t i = 0; i < box.lower.size(); ++i) centre.push_back(0.5 * box.lower[i] + 0.5 * box.upper[i]);
    if (run_.TryWitness(centre.data())) return true;
  }
  return false;
}

absl::StatusOr<bool> Strategy::AttackOpen(double flops, int64_t steps, uint64_t seed, bool give_up) {
  if (run_.options.attack == 0) return false;
  std::vector<size_t> targets = run_.OpenTargets();
  const double per_step =
      4.0 * (run_.plan.flops_per_pass() + 50.0 * static_cast<double>(run_.plan.total_neurons()));
  const auto samples =
      std::max<int64_t>(1, static_cast<int64_t>(flops / (per_step * static_cast<double>(steps))));
  if (static_cast<int64_t>(targets.size()) > samples) targets.resize(static_cast<size_t>(samples));
  AttackSettings settings;
  settings.restarts =
      std::clamp<int64_t>(samples / std::max<int64_t>(static_cast<int64_t>(targets.size()), 1), 1, 100);
  settings.steps = steps;
  settings.seed = seed;
  settings.give_up = give_up;
  Attack attack(run_);
  return attack.Random(targets, settings);
}

absl::StatusOr<SearchEnd> Strategy::SearchBox(int32_t box, const std::vector<size_t>& targets) {
  // Without optimised intermediate bounds first: many properties need no more, and many others have a
  // counterexample.
  const bool refine = run_.options.intermediate_iterations > 0;
  ESPALIER_ASSIGN_OR_RETURN(RootResult root, (refine ? BoundRootQuickly : BoundRoot)(run_, box, targets));
  if (run_.stop.StopRequested()) return SearchEnd::kStopped;
  if (root.open.empty()) return SearchEnd::kExhausted;
  BoxStage& stage = left_.stages[static_cast<size_t>(box)];
  if (stage == BoxStage::kFresh) {
    ESPALIER_ASSIGN_OR_RETURN(const bool found,
                              AttackOpen(kSecondAttackFlops, 60, static_cast<uint64_t>(run_.options.seed) + 1,
                                         /*give_up=*/true));
    if (found) return SearchEnd::kWitness;
  }
  if (refine) {
    ESPALIER_ASSIGN_OR_RETURN(root, RefineRoot(run_, std::move(root)));
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (root.open.empty()) return SearchEnd::kExhausted;
  }
  root_ = std::make_unique<RootResult>(std::move(root));
  if (stage != BoxStage::kEach) {
    stage = BoxStage::kTogether;
    // Bounds for each target cost about as much as this many domains; what is decided by then needs none.
    const int64_t trial = refine ? kTrialDomains * root_->root.slope_count + 1 : 0;
    ESPALIER_ASSIGN_OR_RETURN(const SearchEnd end, SearchTogether(trial));
    if (end != SearchEnd::kBudget) return end;
    stage = BoxStage::kEach;
  }
  std::erase_if(root_->open, [&](const Domain& d) { return run_.refuted(static_cast<size_t>(d.target)); });
  return SearchEach();
}

// With what an earlier run left of its targets.
std::unique_ptr<PartSearch> Strategy::MakeSearch(std::vector<Domain> starts, double share) {
  std::vector<int32_t> targets;
  for (const Domain& start : starts) targets.push_back(start.target);
  auto search = std::make_unique<PartSearch>(run_, *root_, std::move(starts), share, divide_);
  for (const int32_t target : targets) {
    const auto left = left_.open.find(target);
    if (left == left_.open.end()) continue;
    search->Restore(target, std::move(left->second));
    left_.open.erase(left);
  }
  return search;
}

absl::StatusOr<SearchEnd> Strategy::SearchTogether(int64_t trial) {
  together_ = MakeSearch(root_->open, 1.0);
  if (root_->open.size() == 1) trial = 0;  // there is nothing to search apart
  SearchEnd end = SearchEnd::kBudget;
  for (int before = -1; end == SearchEnd::kBudget && together_->sharpened() > before;) {
    before = together_->sharpened();  // with sharper bounds it is tried anew
    ESPALIER_ASSIGN_OR_RETURN(end, together_->Turn(trial));
  }
  // Roots of parts serve all targets; and where targets cannot get bounds of their own, what was split
  // already is worth keeping.
  if (end == SearchEnd::kBudget && (together_->divided() || !together_->divisible())) {
    ESPALIER_ASSIGN_OR_RETURN(end, together_->Turn(0));
  }
  if (end == SearchEnd::kBudget) together_->GiveSharper();
  if (end == SearchEnd::kBudget || end == SearchEnd::kExhausted) together_.reset();
  return end;
}

// Each target with bounds of its own. They take turns, the one nearest to being refuted first, each turn
// twice as long as the last: no target waits for another one's end, and the work given to those that come to
// nothing is at most in proportion.
absl::StatusOr<SearchEnd> Strategy::SearchEach() {
  std::sort(root_->open.begin(), root_->open.end(),
            [](const Domain& x, const Domain& y) { return x.bound > y.bound; });
  const double share = 1.0 / static_cast<double>(std::max<size_t>(root_->open.size(), 1));
  each_.clear();
  for (const Domain& domain : root_->open) each_.push_back(MakeSearch({domain}, share));
  SearchEnd worst = SearchEnd::kExhausted;
  for (int64_t turn = kTurnDomains * root_->root.slope_count + 1; !each_.empty(); turn *= 2) {
    for (size_t k = 0; k < each_.size(); ++k) {
      std::unique_ptr<PartSearch>& own = each_[k];
      if (!own->prepared() && k + 1 < each_.size()) {  // their roots bound few rows at once
        PhaseTimer timer(run_, "search");
        ESPALIER_RETURN_IF_ERROR(run_.plan.backend().Both([&] { return own->Prepare(); },
                                                          [&] { return each_[k + 1]->Prepare(); }));
      }
      ESPALIER_ASSIGN_OR_RETURN(const SearchEnd end, own->Turn(turn));
      if (end == SearchEnd::kWitness || end == SearchEnd::kStopped || end == SearchEnd::kDomainLimit)
        return end;
      if (end == SearchEnd::kBudget) continue;
      if (end != SearchEnd::kExhausted) worst = end;
      own.reset();
    }
    std::erase(each_, nullptr);
  }
  return worst;
}

absl::StatusOr<SearchEnd> Strategy::SearchInputs() {
  Explain("few inputs and cheap bounds: branch and bound over the input box");
  PhaseTimer timer(run_, "search");
  inputs_ = std::make_unique<InputBab>(run_);
  if (!left_.inputs_split) return inputs_->Search();
  const std::vector<BoxPart> boxes = std::exchange(left_.boxes, {});
  return inputs_->Search(boxes);
}

Frontier Strategy::Left() const {
  Frontier now = left_;
  now.domains = run_.statistics.domains;
  now.splits = run_.statistics.splits;
  now.max_open = run_.statistics.max_open;
  now.seconds += run_.SecondsSinceStart();
  for (size_t t = 0; t < now.refuted.size(); ++t) now.refuted[t] = run_.refuted(t) ? 1 : 0;
  if (inputs_ != nullptr) {
    now.inputs_split = true;
    inputs_->Save(now.boxes);
  }
  if (together_ != nullptr) together_->Save(now.open);
  for (const std::unique_ptr<PartSearch>& own : each_) {
    if (own != nullptr) own->Save(now.open);
  }
  std::erase_if(now.open, [&](const auto& entry) {
    return run_.refuted(static_cast<size_t>(entry.first)) || entry.second.count() == 0;
  });
  return now;
}

absl::StatusOr<SearchEnd> Strategy::Search() {
  if (WholeBoxUnsafe()) return SearchEnd::kWitness;
  if (!left_.begun()) {
    const double first =
        std::clamp(kFirstAttackShare * BoxFlops(run_.plan), kFirstAttackFlops, kSecondAttackFlops);
    ESPALIER_ASSIGN_OR_RETURN(
        const bool found,
        AttackOpen(first, 20, static_cast<uint64_t>(run_.options.seed), first > kFirstAttackFlops));
    if (found) return SearchEnd::kWitness;
  }
  bool split_inputs = left_.inputs_split;  // what was begun in one way goes on in it
  if (!left_.begun()) {
    ESPALIER_ASSIGN_OR_RETURN(split_inputs, SplitInputs());
  }
  if (split_inputs) return SearchInputs();
  Explain("many inputs or costly bounds: alpha-CROWN at the root, then branch and bound over ReLU splits");
  std::map<int32_t, std::vector<size_t>> by_box;
  for (size_t t : run_.OpenTargets()) by_box[run_.problem.targets[t].box].push_back(t);
  SearchEnd worst = SearchEnd::kExhausted;
  for (const auto& [box, targets] : by_box) {
    ESPALIER_ASSIGN_OR_RETURN(const SearchEnd end, SearchBox(box, targets));
    if (end == SearchEnd::kWitness) return end;
    if (end != SearchEnd::kExhausted) worst = end;
    // Stopped: what is open stays as it is, to be saved.
    if (end == SearchEnd::kStopped || end == SearchEnd::kDomainLimit) break;
    together_.reset();
    root_.reset();
  }
  return worst;
}

api::Verdict Strategy::Conclude(SearchEnd end) const {
  if (end == SearchEnd::kWitness && run_.witness().has_value())
    return api::Verdict::Falsified(*run_.witness());
  // Verified only when every single target was refuted, whatever the search believes.
  if (run_.open_targets() == 0) return api::Verdict::Verified();
  switch (end) {
    case SearchEnd::kStopped:
      return Stopped(run_.stop);
    case SearchEnd::kMemory:
      return api::Verdict::Unknown(api::Limit::kMemory, "the memory budget was reached");
    case SearchEnd::kDomainLimit:
      return api::Verdict::Unknown(api::Limit::kDomains, "the limit on domains was reached");
    default:
      return api::Verdict::Unknown(
          api::Limit::kNumerical,
          absl::StrCat(run_.undecided(), " subproblems are too close to the threshold to be certified or ",
                       "replayed; their certified margins are at most ", run_.gap(), " below zero"));
  }
}

absl::StatusOr<api::Verdict> Strategy::Decide() {
  run_.statistics.root_bound = std::numeric_limits<double>::infinity();
  if (run_.problem.targets.empty()) return api::Verdict::Verified();
  absl::StatusOr<SearchEnd> end = Search();
  if (StoppedIn(end.status(), run_.stop)) end = SearchEnd::kStopped;
  ESPALIER_RETURN_IF_ERROR(end.status());
  return Conclude(*end);
}

// Writes checkpoints: between rounds when one is due, and at the end of a search that was stopped.
class Saving {
 public:
  Saving(const Run& run, const Strategy& strategy, const api::Checkpoints& outside,
         base::Fingerprint::Value key)
      : run_(run), strategy_(strategy), outside_(outside), key_(key) {}

  void Offer() {
    if (run_.SecondsSinceStart() >= due_) Write();
  }
  void Write() {
    const double begin = run_.SecondsSinceStart();
    outside_.write(EncodeFrontier(strategy_.Left(), key_));
    const double end = run_.SecondsSinceStart();
    due_ = end + std::max(absl::ToDoubleSeconds(outside_.every), kCheckpointRest * (end - begin));
    ++written;
    seconds += end - begin;
  }

  int64_t written = 0;
  double seconds = 0;

 private:
  const Run& run_;
  const Strategy& strategy_;
  const api::Checkpoints& outside_;
  const base::Fingerprint::Value key_;
  double due_ = absl::ToDoubleSeconds(outside_.every);
};

Frontier FreshFrontier(const Problem& problem) {
  Frontier fresh;
  fresh.refuted.resize(problem.targets.size(), 0);
  fresh.stages.resize(problem.boxes.size(), BoxStage::kFresh);
  return fresh;
}

// What an earlier run left, taken over into `run`.
absl::StatusOr<Frontier> TakeUp(Run& run, const std::string& bytes, const base::Fingerprint::Value& key) {
  ESPALIER_ASSIGN_OR_RETURN(Frontier left,
                            DecodeFrontier(bytes, key, run.problem, run.plan.activation_neurons()));
  for (size_t t = 0; t < left.refuted.size(); ++t) {
    if (left.refuted[t] != 0) run.Refute(t);
  }
  run.statistics.domains = left.domains;
  run.statistics.splits = left.splits;
  run.statistics.max_open = left.max_open;
  run.statistics.counters["resumed_domains"] = left.domains;
  run.statistics.seconds["before"] = left.seconds;
  run.Explain(absl::StrCat("resumed from a checkpoint: ", left.domains, " domains in ", left.seconds,
                           " s came before"));
  return left;
}

// Strategy with checkpoints around it.
absl::StatusOr<api::Verdict> DecideFrom(Run& run, const Surroundings& around,
                                        std::vector<std::string>& warnings) {
  Frontier left = FreshFrontier(run.problem);
  const api::Checkpoints* const outside = around.checkpoints;
  if (outside == nullptr || (outside->resume.empty() && outside->write == nullptr))
    return Strategy(run, std::move(left), around.divide).Decide();
  const base::Fingerprint::Value key = FrontierKey(run.problem, run.plan.network(), around.version);
  if (!outside->resume.empty()) {
    absl::StatusOr<Frontier> taken = TakeUp(run, outside->resume, key);
    if (taken.ok()) left = *std::move(taken);
    if (!taken.ok())
      warnings.push_back(absl::StrCat(taken.status().message(), "; the search starts from the beginning"));
  }
  Strategy strategy(run, std::move(left), around.divide);
  if (outside->write == nullptr) return strategy.Decide();
  Saving saving(run, strategy, *outside, key);
  run.between_rounds = [&saving] { saving.Offer(); };
  absl::StatusOr<api::Verdict> verdict = strategy.Decide();
  run.between_rounds = nullptr;
  const bool stopped = verdict.ok() && verdict->answer() == api::Answer::kUnknown &&
                       verdict->limit() != api::Limit::kNumerical;
  if (stopped) saving.Write();
  run.statistics.counters["checkpoints"] = saving.written;
  run.statistics.seconds["checkpoint"] = saving.seconds;
  return verdict;
}

// What was done in smaller pieces for want of memory.
void NoteShortages(backend::Backend& backend, Run& run) {
  for (const auto& [name, count] : backend.TakeShortages()) run.statistics.counters[name] += count;
  std::vector<std::string> parts;
  for (const char* name : api::kShortageCounters) {
    const auto found = run.statistics.counters.find(name);
    if (found != run.statistics.counters.end() && found->second > 0)
      parts.push_back(absl::StrCat(name, " ", found->second));
  }
  if (parts.empty()) return;
  run.Explain(absl::StrCat("memory ran out on the way, and the search went on in smaller pieces: ",
                           absl::StrJoin(parts, ", ")));
}

}  // namespace

absl::StatusOr<api::Verdict> Decide(const ir::Network& network, const api::Property& property,
                                    const api::Options& wanted, const Surroundings& around) {
  const absl::Time start = absl::Now();
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(wanted));
  api::Options options = wanted;
  if (options.memory_bytes == 0) options.memory_bytes = base::FreeMemoryBytes() / 4 * 3;
  const StopToken stop = around.stop.WithDeadline(start + absl::Seconds(options.timeout_s));
  // Half for the open domains, half for working buffers.
  ESPALIER_ASSIGN_OR_RETURN(
      const std::unique_ptr<backend::Backend> backend,
      around.make_backend(
          {.threads = options.threads, .memory_bytes = options.memory_bytes / 2, .stop = stop}));
  ESPALIER_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(network, property));
  const absl::StatusOr<std::unique_ptr<bounds::Plan>> plan = bounds::Plan::Make(network, *backend);
  if (StoppedIn(plan.status(), stop)) {
    api::Verdict verdict = Stopped(stop);
    verdict.statistics.seconds["prepare"] = verdict.statistics.seconds["total"] =
        absl::ToDoubleSeconds(absl::Now() - start);
    verdict.warnings = property.warnings;
    return verdict;
  }
  ESPALIER_RETURN_IF_ERROR(plan.status());
  Run run(problem, **plan, options, around.judge, around.sink, stop);
  run.statistics.seconds["prepare"] = absl::ToDoubleSeconds(absl::Now() - start);
  std::vector<std::string> warnings = property.warnings;
  ESPALIER_ASSIGN_OR_RETURN(api::Verdict verdict, DecideFrom(run, around, warnings));
  NoteShortages(*backend, run);
  verdict.statistics = run.statistics;
  verdict.statistics.seconds["total"] = absl::ToDoubleSeconds(absl::Now() - start);
  verdict.explanation = run.explanation;
  verdict.warnings = std::move(warnings);
  return verdict;
}

}  // namespace espalier::search
