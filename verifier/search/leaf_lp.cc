#include "verifier/search/leaf_lp.h"

#include <algorithm>

#include "verifier/base/status.h"
#include "verifier/search/min_max_lp.h"

namespace espalier::search {
namespace {

// Rows of one node as affine functions of the input; every hinge of the domain must be linear.
absl::StatusOr<AffineBounds> AffineRows(Run& run, SharedRoot& root, const bounds::HostRows& rows) {
  auto& backend = run.plan.backend();
  bounds::InputBoxes origin;  // the bound over the box {0} is the constant
  origin.domains = 1;
  origin.lower.assign(static_cast<size_t>(run.problem.inputs), 0.0);
  origin.upper = origin.lower;
  const int64_t count = rows.count();
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<double> device,
                            bounds::DeviceRows<double>::Make(run.plan, rows, origin));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> lambda,
                            backend::Allocate<double>(backend, count * run.problem.inputs));
  bounds::BackwardPass<double> pass(run.plan);
  ESPALIER_RETURN_IF_ERROR(
      pass.Run(device.Input(root.relaxation64), {.bound = bound.data(), .input_lambda = lambda.data()}));
  AffineBounds result;
  result.rows = count;
  result.inputs = run.problem.inputs;
  result.constant.resize(static_cast<size_t>(count));
  result.lambda.resize(static_cast<size_t>(count * result.inputs));
  backend.Download(bound.data(), count * 8, result.constant.data());
  backend.Download(lambda.data(), static_cast<int64_t>(result.lambda.size() * 8), result.lambda.data());
  return result;
}

absl::StatusOr<AffineBounds> MarginRows(Run& run, SharedRoot& root, const Target& target) {
  bounds::HostRows rows;
  rows.start = run.plan.network().output;
  for (int64_t r = 0; r < target.rows; ++r)
    AppendRow(run.problem, target, UnitWeights(target, r), 0, {}, rows);
  return AffineRows(run, root, rows);
}

// sign · pre-activation of every split, in split order: all >= 0 on the domain.
absl::StatusOr<AffineBounds> SplitConstraints(Run& run, SharedRoot& root, const Domain& domain) {
  AffineBounds all;
  all.inputs = run.problem.inputs;
  for (const Split& split : domain.splits) {
    bounds::HostRows unit;
    unit.start = run.plan.node(run.plan.activations()[static_cast<size_t>(split.layer)]).predecessor;
    unit.domain = {0};
    unit.neuron = {root.relaxation64.unstable(split.layer)[static_cast<size_t>(split.unstable)]};
    unit.sign = {static_cast<double>(split.sign)};
    ESPALIER_ASSIGN_OR_RETURN(const AffineBounds one, AffineRows(run, root, unit));
    all.lambda.insert(all.lambda.end(), one.lambda.begin(), one.lambda.end());
    all.constant.push_back(one.constant[0]);
    ++all.rows;
  }
  return all;
}

AffineBounds Negated(AffineBounds rows) {
  for (double& v : rows.lambda) v = -v;
  for (double& v : rows.constant) v = -v;
  return rows;
}

}  // namespace

absl::StatusOr<LeafEnd> DecideLeaf(Run& run, SharedRoot& root, Domain& domain) {
  ++run.statistics.counters["leaf_lps"];
  {
    DomainBatch<double> batch(run, root);  // puts the domain's splits into the shared relaxation
    ESPALIER_RETURN_IF_ERROR(batch.Load({&domain}));
  }
  const Target& target = run.problem.targets[static_cast<size_t>(domain.target)];
  const api::Box& box = run.problem.boxes[static_cast<size_t>(target.box)];
  ESPALIER_ASSIGN_OR_RETURN(const AffineBounds margins, MarginRows(run, root, target));
  ESPALIER_ASSIGN_OR_RETURN(const AffineBounds constraints, SplitConstraints(run, root, domain));
  MinMaxAnswer answer = SolveMinMax(margins, constraints, box.lower.data(), box.upper.data());
  if (answer.solved && run.TryWitness(answer.point.data())) return LeafEnd::kWitness;
  if (!answer.solved) {
    // The splits contradict each other: min over x of max of -constraint is positive, and its weights prove
    // it.
    answer = SolveMinMax(Negated(constraints),
                         {.rows = 0, .inputs = constraints.inputs, .lambda = {}, .constant = {}},
                         box.lower.data(), box.upper.data());
    if (!answer.solved) return LeafEnd::kUndecided;
    answer.multipliers = answer.weights;
    answer.weights.assign(static_cast<size_t>(target.rows), 0.0);
  }
  domain.weights = answer.weights;
  for (size_t k = 0; k < domain.splits.size(); ++k)
    domain.splits[k].beta = static_cast<float>(answer.multipliers[k]);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound, CertifyDomains(run, root, {&domain}));
  return bound[0] > 0 ? LeafEnd::kRefuted : LeafEnd::kUndecided;
}

}  // namespace espalier::search
