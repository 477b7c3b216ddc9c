#include "verifier/search/leaf_lp.h"

#include <ClpSimplex.hpp>
#include <CoinPackedMatrix.hpp>
#include <CoinPackedVector.hpp>
#include <algorithm>

#include "verifier/base/status.h"

namespace espalier::search {
namespace {

// An affine function of the input.
struct AffineRow {
  std::vector<double> coefficients;  // [inputs]
  double constant = 0;
};

// Rows of one node as affine functions of the input; every hinge of the domain must be linear.
absl::StatusOr<std::vector<AffineRow>> AffineRows(Run& run, SharedRoot& root, bounds::HostRows rows) {
  auto& backend = run.plan.backend();
  const auto inputs = static_cast<size_t>(run.problem.inputs);
  bounds::InputBoxes origin;  // the bound over the box {0} is the constant
  origin.domains = 1;
  origin.lower.assign(inputs, 0.0);
  origin.upper.assign(inputs, 0.0);
  const int64_t count = rows.count();
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<double> device,
                            bounds::DeviceRows<double>::Make(run.plan, rows, origin));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> lambda,
                            backend::Allocate<double>(backend, count * run.problem.inputs));
  bounds::BackwardPass<double> pass(run.plan);
  ESPALIER_RETURN_IF_ERROR(
      pass.Run(device.Input(root.relaxation64), {.bound = bound.data(), .input_lambda = lambda.data()}));
  std::vector<double> constants(static_cast<size_t>(count)), flat(static_cast<size_t>(count) * inputs);
  backend.Download(bound.data(), count * 8, constants.data());
  backend.Download(lambda.data(), static_cast<int64_t>(flat.size() * 8), flat.data());
  std::vector<AffineRow> result(static_cast<size_t>(count));
  for (size_t r = 0; r < result.size(); ++r) {
    result[r].constant = constants[r];
    result[r].coefficients.assign(flat.begin() + static_cast<int64_t>(r * inputs),
                                  flat.begin() + static_cast<int64_t>((r + 1) * inputs));
  }
  return result;
}

// Margins of the target's rows, then pre-activations of the splits, in split order.
absl::StatusOr<std::vector<AffineRow>> AllRows(Run& run, SharedRoot& root, const Domain& domain) {
  const Target& target = run.problem.targets[static_cast<size_t>(domain.target)];
  bounds::HostRows margins;
  margins.start = run.plan.network().output;
  for (int64_t r = 0; r < target.rows; ++r) AppendRow(run.problem, target, UnitWeights(target, r), 0, {}, margins);
  ESPALIER_ASSIGN_OR_RETURN(std::vector<AffineRow> rows, AffineRows(run, root, margins));
  for (const Split& split : domain.splits) {
    bounds::HostRows unit;
    unit.start = run.plan.node(run.plan.activations()[static_cast<size_t>(split.layer)]).predecessor;
    unit.domain = {0};
    unit.neuron = {root.relaxation64.unstable(split.layer)[static_cast<size_t>(split.unstable)]};
    unit.sign = {1.0};
    ESPALIER_ASSIGN_OR_RETURN(std::vector<AffineRow> one, AffineRows(run, root, unit));
    rows.push_back(std::move(one[0]));
  }
  return rows;
}

struct LpAnswer {
  bool solved = false;
  std::vector<double> point;
  std::vector<double> weights;  // of the target's rows
  std::vector<double> betas;    // of the splits
};

LpAnswer Solve(const Run& run, const Domain& domain, const std::vector<AffineRow>& rows, const api::Box& box) {
  const auto inputs = static_cast<int>(run.problem.inputs);
  const size_t margins = rows.size() - domain.splits.size();
  CoinPackedMatrix matrix(false, 0, 0);
  matrix.setDimensions(0, inputs + 1);
  std::vector<double> row_lower, row_upper;
  for (size_t r = 0; r < rows.size(); ++r) {
    CoinPackedVector entries;
    for (int j = 0; j < inputs; ++j) {
      const double value = rows[r].coefficients[static_cast<size_t>(j)];
      if (value != 0) entries.insert(j, value);
    }
    if (r < margins) {  // margin - t <= 0
      entries.insert(inputs, -1.0);
      row_lower.push_back(-COIN_DBL_MAX);
      row_upper.push_back(-rows[r].constant);
    } else {
      const bool positive = domain.splits[r - margins].sign > 0;
      row_lower.push_back(positive ? -rows[r].constant : -COIN_DBL_MAX);
      row_upper.push_back(positive ? COIN_DBL_MAX : -rows[r].constant);
    }
    matrix.appendRow(entries);
  }
  std::vector<double> lower = box.lower, upper = box.upper, objective(static_cast<size_t>(inputs) + 1, 0.0);
  lower.push_back(-COIN_DBL_MAX);
  upper.push_back(COIN_DBL_MAX);
  objective.back() = 1.0;
  ClpSimplex lp;
  lp.setLogLevel(0);
  lp.loadProblem(matrix, lower.data(), upper.data(), objective.data(), row_lower.data(), row_upper.data());
  lp.dual();
  LpAnswer answer;
  // Infeasible: a ray of the dual would serve; the search's own multipliers are tried instead.
  if (!lp.isProvenOptimal()) return answer;
  answer.solved = true;
  answer.point.assign(lp.getColSolution(), lp.getColSolution() + inputs);
  const double* price = lp.getRowPrice();
  for (size_t r = 0; r < rows.size(); ++r) {
    if (r < margins) {
      answer.weights.push_back(std::max(0.0, -price[r]));
    } else {
      const double sign = domain.splits[r - margins].sign;
      answer.betas.push_back(std::max(0.0, sign * price[r]));
    }
  }
  return answer;
}

// For an infeasible leaf: maximise a slack instead, so that the duals prove that the splits contradict each other.
LpAnswer SolveInfeasible(const Run& run, const Domain& domain, const std::vector<AffineRow>& rows,
                         const api::Box& box) {
  // minimise s  with  sign · pre-activation + s >= 0; the optimum is > 0 exactly when the splits are infeasible.
  const auto inputs = static_cast<int>(run.problem.inputs);
  const size_t margins = rows.size() - domain.splits.size();
  CoinPackedMatrix matrix(false, 0, 0);
  matrix.setDimensions(0, inputs + 1);
  std::vector<double> row_lower, row_upper;
  for (size_t r = margins; r < rows.size(); ++r) {
    const double sign = domain.splits[r - margins].sign;
    CoinPackedVector entries;
    for (int j = 0; j < inputs; ++j) {
      const double value = rows[r].coefficients[static_cast<size_t>(j)];
      if (value != 0) entries.insert(j, sign * value);
    }
    entries.insert(inputs, 1.0);
    matrix.appendRow(entries);
    row_lower.push_back(-sign * rows[r].constant);
    row_upper.push_back(COIN_DBL_MAX);
  }
  std::vector<double> lower = box.lower, upper = box.upper, objective(static_cast<size_t>(inputs) + 1, 0.0);
  lower.push_back(-COIN_DBL_MAX);
  upper.push_back(COIN_DBL_MAX);
  objective.back() = 1.0;
  ClpSimplex lp;
  lp.setLogLevel(0);
  lp.loadProblem(matrix, lower.data(), upper.data(), objective.data(), row_lower.data(), row_upper.data());
  lp.dual();
  LpAnswer answer;
  if (!lp.isProvenOptimal()) return answer;
  answer.solved = true;
  answer.weights.assign(margins, 0.0);  // the contradiction needs no output row
  for (size_t r = 0; r < domain.splits.size(); ++r) answer.betas.push_back(std::max(0.0, lp.getRowPrice()[r]));
  return answer;
}

}  // namespace

absl::StatusOr<LeafEnd> DecideLeaf(Run& run, SharedRoot& root, Domain& domain) {
  ++run.statistics.counters["leaf_lps"];
  {
    DomainBatch<double> batch(run, root);  // puts the domain's splits into the shared relaxation
    ESPALIER_RETURN_IF_ERROR(batch.Load({&domain}));
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<AffineRow> rows, AllRows(run, root, domain));
  const api::Box& box = run.problem.boxes[static_cast<size_t>(run.problem.targets[static_cast<size_t>(domain.target)].box)];
  LpAnswer answer = Solve(run, domain, rows, box);
  if (answer.solved && run.TryWitness(answer.point.data())) return LeafEnd::kWitness;
  if (!answer.solved) answer = SolveInfeasible(run, domain, rows, box);
  if (!answer.solved) return LeafEnd::kUndecided;
  domain.weights = answer.weights;
  for (size_t k = 0; k < domain.splits.size(); ++k) domain.splits[k].beta = static_cast<float>(answer.betas[k]);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> bound, CertifyDomains(run, root, {&domain}));
  return bound[0] > 0 ? LeafEnd::kRefuted : LeafEnd::kUndecided;
}

}  // namespace espalier::search
