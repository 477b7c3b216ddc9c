#include "verifier/search/strategy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "verifier/base/memory_info.h"
#include "verifier/base/status.h"
#include "verifier/search/attack.h"
#include "verifier/search/input_bab.h"
#include "verifier/search/relu_bab.h"
#include "verifier/search/root.h"

namespace espalier::search {
namespace {

// Input splitting: at most this many free inputs, and full CROWN bounds of one box at most this much work.
constexpr int64_t kMaxFreeInputs = 24;
constexpr double kMaxBoxFlops = 4e8;
constexpr size_t kFewBoxes = 8;
constexpr int64_t kFewUnstable = 24;
constexpr int64_t kTrialDomains = 2;  // per unstable neuron
// Work of the attacks: the first one is short where bounds are cheap, and as long as the second where they
// are not.
constexpr double kFirstAttackFlops = 1e9;
constexpr double kSecondAttackFlops = 4e10;
constexpr double kFirstAttackShare = 0.05;  // of the work of CROWN bounds

// The backend ends whatever it computes when the token fires: no error of the search.
bool StoppedIn(const absl::Status& status, const StopToken& stop) {
  return absl::IsCancelled(status) && stop.StopRequested();
}

api::Verdict Stopped(const StopToken& stop) {
  return stop.Reason() == StopReason::kCancelled
             ? api::Verdict::Unknown(api::Limit::kCancelled, "cancelled")
             : api::Verdict::Unknown(api::Limit::kTime, "the time limit was reached");
}

// A target's own search, over bounds that hold where the target can be unsafe.
struct OwnSearch {
  Domain start;  // over the shared root
  RootResult root;
  std::unique_ptr<ReluBab> bab;
};

class Strategy {
 public:
  Strategy(Run& run) : run_(run) {}
  absl::StatusOr<api::Verdict> Decide();

 private:
  absl::StatusOr<bool> SplitInputs() const;
  absl::StatusOr<int64_t> UnstableNeurons(int32_t box) const;
  double BoxFlops() const;
  bool WholeBoxUnsafe();
  absl::StatusOr<bool> AttackOpen(double flops, int64_t steps, uint64_t seed);
  absl::StatusOr<SearchEnd> Search();
  absl::StatusOr<SearchEnd> SearchBox(int32_t box, const std::vector<size_t>& targets);
  void ExplainSearch(const SharedRoot& root, int32_t box);
  absl::StatusOr<SearchEnd> SearchFrom(SharedRoot& root, std::vector<Domain> open, int32_t box);
  absl::StatusOr<SearchEnd> SearchEach(RootResult& root, int32_t box);
  absl::StatusOr<SearchEnd> TakeTurn(RootResult& shared, OwnSearch& own, int32_t box, double share,
                                     int64_t domains);
  api::Verdict Conclude(SearchEnd end) const;
  void Explain(std::string sentence) { run_.explanation.push_back(std::move(sentence)); }

  Run& run_;
};

// Two rows for every neuron, back to the input: an upper estimate of CROWN bounds of one box.
double Strategy::BoxFlops() const {
  double flops = 0;
  for (ir::NodeId id : run_.plan.activations()) {
    const bounds::PlanNode& node = run_.plan.node(id);
    flops += 2.0 * static_cast<double>(node.size) * run_.plan.flops_until(node.predecessor);
  }
  return flops;
}

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
  int64_t free = 0;
  for (const Target& target : run_.problem.targets)
    free = std::max(free, run_.problem.FreeInputs(target.box));
  if (free > kMaxFreeInputs || BoxFlops() > kMaxBoxFlops) return false;
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

absl::StatusOr<bool> Strategy::AttackOpen(double flops, int64_t steps, uint64_t seed) {
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
  Attack attack(run_);
  return attack.Random(targets, settings);
}

absl::StatusOr<SearchEnd> Strategy::SearchBox(int32_t box, const std::vector<size_t>& targets) {
  // Without optimised intermediate bounds first: many properties need no more, and many others have a
  // counterexample.
  ESPALIER_ASSIGN_OR_RETURN(RootResult root, BoundRoot(run_, box, targets));
  if (run_.stop.StopRequested()) return SearchEnd::kStopped;
  if (root.open.empty()) return SearchEnd::kExhausted;
  ESPALIER_ASSIGN_OR_RETURN(const bool found,
                            AttackOpen(kSecondAttackFlops, 60, static_cast<uint64_t>(run_.options.seed) + 1));
  if (found) return SearchEnd::kWitness;
  if (run_.options.intermediate_iterations > 0) {
    ESPALIER_ASSIGN_OR_RETURN(root, RefineRoot(run_, std::move(root)));
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (root.open.empty()) return SearchEnd::kExhausted;
  }
  if (run_.options.intermediate_iterations == 0) return SearchFrom(root.root, std::move(root.open), box);
  // Bounds for each target cost about as much as this many domains; what is decided by then needs none.
  const int64_t trial = kTrialDomains * root.root.slope_count + 1;
  ExplainSearch(root.root, box);
  SearchEnd end;
  {
    PhaseTimer timer(run_.statistics, "search");
    ReluBab bab(run_, root.root);
    ESPALIER_ASSIGN_OR_RETURN(end, bab.Search(root.open, trial));
    // Where targets cannot get bounds of their own, what was split already is worth keeping.
    if (end == SearchEnd::kBudget && !bab.reduced()) return bab.Resume(0);
  }
  if (end != SearchEnd::kBudget) return end;
  std::erase_if(root.open, [&](const Domain& d) { return run_.refuted(static_cast<size_t>(d.target)); });
  return SearchEach(root, box);
}

void Strategy::ExplainSearch(const SharedRoot& root, int32_t box) {
  Explain(absl::StrCat("branch and bound over ", root.slope_count, " unstable neurons on box ", box));
}

absl::StatusOr<SearchEnd> Strategy::SearchFrom(SharedRoot& root, std::vector<Domain> open, int32_t box) {
  ExplainSearch(root, box);
  PhaseTimer timer(run_.statistics, "search");
  ReluBab bab(run_, root);
  return bab.Search(std::move(open));
}

// Each target with bounds of its own. They take turns, the one nearest to being refuted first, each turn
// twice as long as the last: no target waits for another one's end, and the work given to those that come to
// nothing is at most in proportion.
absl::StatusOr<SearchEnd> Strategy::SearchEach(RootResult& root, int32_t box) {
  std::sort(root.open.begin(), root.open.end(),
            [](const Domain& x, const Domain& y) { return x.bound > y.bound; });
  const double share = 1.0 / static_cast<double>(std::max<size_t>(root.open.size(), 1));
  std::vector<std::unique_ptr<OwnSearch>> open;
  for (const Domain& domain : root.open) {
    open.push_back(std::make_unique<OwnSearch>());
    open.back()->start = domain;
  }
  SearchEnd worst = SearchEnd::kExhausted;
  for (int64_t turn = kTrialDomains * root.root.slope_count + 1; !open.empty(); turn *= 2) {
    for (std::unique_ptr<OwnSearch>& own : open) {
      ESPALIER_ASSIGN_OR_RETURN(const SearchEnd end, TakeTurn(root, *own, box, share, turn));
      if (end == SearchEnd::kWitness || end == SearchEnd::kStopped) return end;
      if (end == SearchEnd::kBudget) continue;
      if (end != SearchEnd::kExhausted) worst = end;
      own.reset();
    }
    std::erase(open, nullptr);
  }
  return worst;
}

absl::StatusOr<SearchEnd> Strategy::TakeTurn(RootResult& shared, OwnSearch& own, int32_t box, double share,
                                             int64_t domains) {
  PhaseTimer timer(run_.statistics, "search");
  SearchEnd end = SearchEnd::kExhausted;
  if (own.bab == nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(std::optional<RootResult> root, ConditionRoot(run_, shared, own.start));
    if (run_.stop.StopRequested()) return SearchEnd::kStopped;
    if (!root.has_value()) return SearchEnd::kExhausted;
    own.root = *std::move(root);
    Explain(absl::StrCat("branch and bound for disjunct ", own.start.target, " alone over ",
                         own.root.root.slope_count, " unstable neurons on box ", box));
    own.bab = std::make_unique<ReluBab>(run_, own.root.root, share);
    ESPALIER_ASSIGN_OR_RETURN(end, own.bab->Search(std::move(own.root.open), domains));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(end, own.bab->Resume(domains));
  }
  // At a leaf the program's optimum may lie where these bounds do not hold: those of the whole box decide.
  if (end == SearchEnd::kNumerical) return SearchFrom(shared.root, {own.start}, box);
  return end;
}

absl::StatusOr<SearchEnd> Strategy::Search() {
  if (WholeBoxUnsafe()) return SearchEnd::kWitness;
  const double first = std::clamp(kFirstAttackShare * BoxFlops(), kFirstAttackFlops, kSecondAttackFlops);
  ESPALIER_ASSIGN_OR_RETURN(const bool found,
                            AttackOpen(first, 20, static_cast<uint64_t>(run_.options.seed)));
  if (found) return SearchEnd::kWitness;
  ESPALIER_ASSIGN_OR_RETURN(const bool split_inputs, SplitInputs());
  if (split_inputs) {
    Explain("few inputs and cheap bounds: branch and bound over the input box");
    PhaseTimer timer(run_.statistics, "search");
    InputBab bab(run_);
    return bab.Search();
  }
  Explain("many inputs or costly bounds: alpha-CROWN at the root, then branch and bound over ReLU splits");
  std::map<int32_t, std::vector<size_t>> by_box;
  for (size_t t : run_.OpenTargets()) by_box[run_.problem.targets[t].box].push_back(t);
  SearchEnd worst = SearchEnd::kExhausted;
  for (const auto& [box, targets] : by_box) {
    ESPALIER_ASSIGN_OR_RETURN(const SearchEnd end, SearchBox(box, targets));
    if (end == SearchEnd::kWitness) return end;
    if (end != SearchEnd::kExhausted) worst = end;
    if (end == SearchEnd::kStopped) break;
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
  ESPALIER_ASSIGN_OR_RETURN(api::Verdict verdict, Strategy(run).Decide());
  verdict.statistics = run.statistics;
  verdict.statistics.seconds["total"] = absl::ToDoubleSeconds(absl::Now() - start);
  verdict.explanation = run.explanation;
  verdict.warnings = property.warnings;
  return verdict;
}

}  // namespace espalier::search
