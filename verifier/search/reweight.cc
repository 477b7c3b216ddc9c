#include "verifier/search/reweight.h"

#include "verifier/base/status.h"
#include "verifier/search/combine.h"

namespace espalier::search {
namespace {

// Each row of the domain's target as a domain of its own.
std::vector<Domain> RowDomains(const Run& run, const Domain& domain) {
  const Target& target = run.problem.targets[static_cast<size_t>(domain.target)];
  std::vector<Domain> rows;
  for (int64_t r = 0; r < target.rows; ++r) {
    Domain row;
    row.target = domain.target;
    row.splits = domain.splits;
    row.slopes = domain.slopes;
    row.weights = UnitWeights(target, r);
    rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<AffineBounds> BoundRows(Run& run, SharedRoot& root, const std::vector<Domain>& rows) {
  auto& backend = run.plan.backend();
  std::vector<const Domain*> pointers;
  for (const Domain& row : rows) pointers.push_back(&row);
  DomainBatch<float> batch(run, root);
  ESPALIER_RETURN_IF_ERROR(batch.Load(pointers));
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t entries = count * run.problem.inputs;
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, count));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> corner, backend::Allocate<float>(backend, entries));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> lambda, backend::Allocate<float>(backend, entries));
  bounds::BackwardPass<float> pass(run.plan);
  ESPALIER_RETURN_IF_ERROR(pass.Run(
      batch.Input(), {.bound = bound.data(), .corner = corner.data(), .input_lambda = lambda.data()}));
  std::vector<double> lower(rows.size());
  std::vector<float> corners(static_cast<size_t>(entries)), slopes(corners.size());
  backend.Download(bound.data(), count * 8, lower.data());
  backend.Download(corner.data(), entries * 4, corners.data());
  backend.Download(lambda.data(), entries * 4, slopes.data());
  AffineBounds affine;
  affine.rows = count;
  affine.inputs = run.problem.inputs;
  affine.lambda.assign(slopes.begin(), slopes.end());
  for (size_t r = 0; r < rows.size(); ++r) {
    double constant = lower[r];
    for (size_t j = 0; j < static_cast<size_t>(run.problem.inputs); ++j) {
      const size_t at = r * static_cast<size_t>(run.problem.inputs) + j;
      constant -= static_cast<double>(slopes[at]) * static_cast<double>(corners[at]);
    }
    affine.constant.push_back(constant);
  }
  return affine;
}

}  // namespace

absl::Status Reweight(Run& run, SharedRoot& root, std::vector<Domain>& domains) {
  for (Domain& domain : domains) {
    const Target& target = run.problem.targets[static_cast<size_t>(domain.target)];
    if (target.rows < 2 || domain.bound > 0) continue;
    ESPALIER_ASSIGN_OR_RETURN(const AffineBounds rows, BoundRows(run, root, RowDomains(run, domain)));
    const api::Box& box = run.problem.boxes[static_cast<size_t>(target.box)];
    const Combination best = BestCombination(rows, box.lower.data(), box.upper.data(), run.stop);
    if (!(best.bound > domain.bound)) continue;
    domain.bound = best.bound;
    domain.weights = best.weights;
  }
  return absl::OkStatus();
}

}  // namespace espalier::search
