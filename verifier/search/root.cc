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

// Optimises (when asked) and certifies rows that fit in memory together; returns certified margins.
absl::StatusOr<std::vector<double>> BoundRowsTogether(Run& run, SharedRoot& root,
                                                      const bounds::HostRows& rows) {
  bounds::Slopes<float> slopes;
  const int64_t iterations = run.options.alpha_iterations;
  if (iterations > 0) {
    ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<float> device,
                              bounds::DeviceRows<float>::Make(run.plan, rows, root.bounds.boxes));
    bounds::BackwardInput<float> in = device.Input(root.relaxation32);
    in.slopes = &slopes;
    bounds::Optimiser<float> optimiser(run.plan);
    ESPALIER_RETURN_IF_ERROR(optimiser.StartSlopes(in, slopes));
    bounds::OptimiseResult result;
    const auto done = [](const std::vector<double>& best) {
      return std::all_of(best.begin(), best.end(), [](double b) { return b > 1e-6; });
    };
    ESPALIER_RETURN_IF_ERROR(optimiser.Run(in, {.iterations = iterations}, done, run.stop, result));
  }
  const bounds::Scope scope{&run.plan, &root.bounds.boxes, &root.relaxation32, &root.relaxation64,
                            &root.bounds.magnitudes};
  return bounds::CertifiedBounds(scope, rows, iterations > 0 ? &slopes : nullptr);
}

// The same in as few parts as memory allows. Rows that a stop leaves out get -infinity.
absl::StatusOr<std::vector<double>> BoundRows(Run& run, SharedRoot& root, const bounds::HostRows& rows) {
  std::vector<double> margin(static_cast<size_t>(rows.count()), -INFINITY);
  const auto part = [&](int64_t begin, int64_t end) -> absl::Status {
    ESPALIER_ASSIGN_OR_RETURN(
        const std::vector<double> certified,
        BoundRowsTogether(run, root, rows.Slice(begin, end, run.problem.outputs, run.problem.inputs)));
    std::copy(certified.begin(), certified.end(), margin.begin() + begin);
    return absl::OkStatus();
  };
  ESPALIER_RETURN_IF_ERROR(bounds::InBlocks(run.plan.backend(), rows.count(), rows.count(), run.stop, part));
  return margin;
}

// Bounds all rows of the targets; refutes, and keeps the rest as start domains.
absl::Status BoundTargets(Run& run, const std::vector<size_t>& targets, RootResult& result) {
  const RootRows rows = CollectRows(run, result.root, targets);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> margin, BoundRows(run, result.root, rows.rows));
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

}  // namespace

absl::StatusOr<RootResult> BoundRoot(Run& run, int32_t box, const std::vector<size_t>& targets) {
  PhaseTimer timer(run.statistics, "root");
  RootResult result;
  const api::Box& b = run.problem.boxes[static_cast<size_t>(box)];
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds bounds,
                            bounds::ComputeIntermediate(run.plan, {1, b.lower, b.upper}, {}, run.stop));
  ESPALIER_ASSIGN_OR_RETURN(result.root, SharedRoot::Make(run.plan, std::move(bounds)));
  ESPALIER_RETURN_IF_ERROR(BoundTargets(run, targets, result));
  return result;
}

absl::StatusOr<RootResult> RefineRoot(Run& run, RootResult from) {
  PhaseTimer timer(run.statistics, "root");
  std::vector<size_t> targets;
  for (const Domain& domain : from.open) targets.push_back(static_cast<size_t>(domain.target));
  bounds::IntermediateSettings settings;
  settings.iterations = run.options.intermediate_iterations;
  settings.max_flops = kRootFlops;
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds bounds, bounds::OptimiseBounds(run.plan, settings, run.stop,
                                                                                std::move(from.root.bounds)));
  RootResult result;
  ESPALIER_ASSIGN_OR_RETURN(result.root, SharedRoot::Make(run.plan, std::move(bounds)));
  ESPALIER_RETURN_IF_ERROR(BoundTargets(run, targets, result));
  return result;
}

}  // namespace espalier::search
