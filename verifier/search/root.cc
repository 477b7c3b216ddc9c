#include "verifier/search/root.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/bounds/in_blocks.h"
#include "verifier/bounds/refine.h"

namespace espalier::search {
namespace {

// Work limit of the intermediate optimisation: about 15 s of two cores. Decisions count work, never seconds.
constexpr double kRootFlops = 1.5e12;

// Rows of the targets, one per row of each, with where they come from.
struct RootRows {
  bounds::HostRows rows;
  std::vector<std::pair<size_t, int64_t>> owner;  // target, row
};

RootRows CollectRows(const Run& run, const SharedRoot& root, const std::vector<size_t>& targets) {
  RootRows all;
  all.rows.start = run.plan.network().output;
  const std::vector<double>& magnitude = root.bounds.magnitudes.host(all.rows.start);
  for (size_t t : targets) {
    const Target& target = run.problem.targets[t];
    for (int64_t r = 0; r < target.rows; ++r) {
      AppendRow(run.problem, target, UnitWeights(target, r), 0, magnitude, all.rows);
      all.owner.emplace_back(t, r);
    }
  }
  return all;
}

// Steps of the slopes before their progress is looked at.
constexpr int64_t kTrialSteps = 4;

struct Effort {
  int64_t iterations = 0;       // of the rows' slopes; 0: the lines' own
  bool leave_hopeless = false;  // whether the steps may end where they promise too little
};

// True when no further step is worth its time: all rows are positive, or the smallest one is so far from it
// that steps as good as the average one yet would not do.
class Enough {
 public:
  explicit Enough(const Effort& effort) : effort_(effort) {}
  bool operator()(const std::vector<double>& best) {
    const double smallest = *std::min_element(best.begin(), best.end());
    if (smallest > 1e-6) return true;
    if (seen_++ == 0) first_ = smallest;
    if (!effort_.leave_hopeless || seen_ <= kTrialSteps) return false;
    const double step = (smallest - first_) / static_cast<double>(seen_ - 1);
    return !(smallest + step * static_cast<double>(effort_.iterations - seen_) > 0);
  }

 private:
  Effort effort_;
  int64_t seen_ = 0;
  double first_ = 0;
};

// Optimises and certifies rows that fit in memory together; returns certified margins.
absl::StatusOr<std::vector<double>> BoundRowsTogether(Run& run, SharedRoot& root,
                                                      const bounds::HostRows& rows, const Effort& effort) {
  bounds::Slopes<float> slopes;
  if (effort.iterations > 0) {
    ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<float> device,
                              bounds::DeviceRows<float>::Make(run.plan, rows, root.bounds.boxes));
    bounds::BackwardInput<float> in = device.Input(root.relaxation32);
    in.slopes = &slopes;
    bounds::Optimiser<float> optimiser(run.plan);
    ESPALIER_RETURN_IF_ERROR(optimiser.StartSlopes(in, slopes));
    bounds::OptimiseResult result;
    ESPALIER_RETURN_IF_ERROR(
        optimiser.Run(in, {.iterations = effort.iterations}, Enough(effort), run.stop, result));
  }
  const bounds::Scope scope{&run.plan, &root.bounds.boxes, &root.relaxation32, &root.relaxation64,
                            &root.bounds.magnitudes};
  return bounds::CertifiedBounds(scope, rows, effort.iterations > 0 ? &slopes : nullptr);
}

// The same in as few parts as memory allows. Rows that a stop leaves out get -infinity.
absl::StatusOr<std::vector<double>> BoundRows(Run& run, SharedRoot& root, const bounds::HostRows& rows,
                                              const Effort& effort) {
  std::vector<double> margin(static_cast<size_t>(rows.count()), -INFINITY);
  const auto part = [&](int64_t begin, int64_t end) -> absl::Status {
    ESPALIER_ASSIGN_OR_RETURN(
        const std::vector<double> certified,
        BoundRowsTogether(run, root, rows.Slice(begin, end, run.problem.outputs, run.problem.inputs),
                          effort));
    std::copy(certified.begin(), certified.end(), margin.begin() + begin);
    return absl::OkStatus();
  };
  ESPALIER_RETURN_IF_ERROR(bounds::InBlocks(run.plan.backend(), rows.count(), rows.count(), run.stop, part));
  return margin;
}

std::vector<size_t> TargetsOf(const std::vector<Domain>& domains) {
  std::vector<size_t> targets;
  for (const Domain& domain : domains) targets.push_back(static_cast<size_t>(domain.target));
  return targets;
}

// Bounds all rows of the targets; refutes, and keeps the rest as start domains.
absl::Status BoundOnce(Run& run, const std::vector<size_t>& targets, const Effort& effort,
                       RootResult& result) {
  const RootRows rows = CollectRows(run, result.root, targets);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> margin, BoundRows(run, result.root, rows.rows, effort));
  result.open.clear();
  for (size_t r = 0; r < margin.size(); ++r) {
    const auto [t, row] = rows.owner[r];
    if (margin[r] > 0) run.Refute(t);
    if (result.open.empty() || result.open.back().target != static_cast<int32_t>(t)) {
      result.open.emplace_back();
      result.open.back().target = static_cast<int32_t>(t);
      result.open.back().bound = -INFINITY;
    }
    Domain& domain = result.open.back();
    if (!(margin[r] <= domain.bound) || domain.weights.empty()) {
      domain.bound = margin[r];
      domain.weights = UnitWeights(run.problem.targets[t], row);
    }
  }
  std::erase_if(result.open, [&](const Domain& d) { return run.refuted(static_cast<size_t>(d.target)); });
  run.statistics.root_bound = std::numeric_limits<double>::infinity();
  for (const Domain& domain : result.open) {
    run.statistics.root_bound = std::min(run.statistics.root_bound, domain.bound);
  }
  return absl::OkStatus();
}

// With the lines' own slopes first: most rows that can be refuted here need no others.
absl::Status BoundTargets(Run& run, const std::vector<size_t>& targets, bool leave_hopeless,
                          RootResult& result) {
  ESPALIER_RETURN_IF_ERROR(BoundOnce(run, targets, {}, result));
  if (run.options.alpha_iterations == 0 || result.open.empty()) return absl::OkStatus();
  return BoundOnce(run, TargetsOf(result.open), {run.options.alpha_iterations, leave_hopeless}, result);
}

absl::StatusOr<RootResult> BoundBox(Run& run, int32_t box, const bounds::IntermediateSettings& settings,
                                    const std::vector<size_t>& targets, bool leave_hopeless) {
  RootResult result;
  const api::Box& b = run.problem.boxes[static_cast<size_t>(box)];
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds bounds,
                            bounds::ComputeIntermediate(run.plan, {1, b.lower, b.upper}, settings, run.stop));
  ESPALIER_ASSIGN_OR_RETURN(result.root, SharedRoot::Make(run.plan, std::move(bounds)));
  ESPALIER_RETURN_IF_ERROR(BoundTargets(run, targets, leave_hopeless, result));
  return result;
}

}  // namespace

absl::StatusOr<RootResult> BoundRootQuickly(Run& run, int32_t box, const std::vector<size_t>& targets) {
  PhaseTimer timer(run, "root");
  return BoundBox(run, box, {.screening_only = true}, targets, /*leave_hopeless=*/true);
}

absl::StatusOr<RootResult> BoundRoot(Run& run, int32_t box, const std::vector<size_t>& targets) {
  PhaseTimer timer(run, "root");
  return BoundBox(run, box, {}, targets, /*leave_hopeless=*/false);
}

absl::StatusOr<RootResult> RefineRoot(Run& run, RootResult from) {
  PhaseTimer timer(run, "root");
  const std::vector<size_t> targets = TargetsOf(from.open);
  bounds::IntermediateSettings settings;
  settings.iterations = run.options.intermediate_iterations;
  settings.max_flops = kRootFlops;
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds bounds, bounds::OptimiseBounds(run.plan, settings, run.stop,
                                                                                std::move(from.root.bounds)));
  RootResult result;
  ESPALIER_ASSIGN_OR_RETURN(result.root, SharedRoot::Make(run.plan, std::move(bounds)));
  ESPALIER_RETURN_IF_ERROR(BoundTargets(run, targets, /*leave_hopeless=*/false, result));
  return result;
}

}  // namespace espalier::search
