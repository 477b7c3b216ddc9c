#include "verifier/search/min_max_lp.h"

#include <ClpEventHandler.hpp>
#include <ClpSimplex.hpp>
#include <CoinPackedMatrix.hpp>
#include <CoinPackedVector.hpp>
#include <algorithm>
#include <utility>

namespace espalier::search {
namespace {

CoinPackedVector RowOf(const AffineBounds& rows, int64_t r) {
  CoinPackedVector entries;
  for (int64_t j = 0; j < rows.inputs; ++j) {
    const double value = rows.lambda[static_cast<size_t>(r * rows.inputs + j)];
    if (value != 0) entries.insert(static_cast<int>(j), value);
  }
  return entries;
}

// Clp asks it after every iteration; any answer from 0 on ends the solution.
class StopHandler final : public ClpEventHandler {
 public:
  explicit StopHandler(StopToken stop) : stop_(std::move(stop)) {}
  int event(Event) override { return stop_.StopRequested() ? 0 : -1; }
  ClpEventHandler* clone() const override { return new StopHandler(*this); }

 private:
  StopToken stop_;
};

}  // namespace

MinMaxAnswer SolveMinMax(const AffineBounds& margins, const AffineBounds& constraints, const double* lower,
                         const double* upper, const StopToken& stop) {
  const auto inputs = static_cast<int>(margins.inputs);
  CoinPackedMatrix matrix(false, 0, 0);
  matrix.setDimensions(0, inputs + 1);
  std::vector<double> row_lower, row_upper;
  for (int64_t r = 0; r < margins.rows; ++r) {
    CoinPackedVector entries = RowOf(margins, r);
    entries.insert(inputs, -1.0);
    matrix.appendRow(entries);
    row_lower.push_back(-COIN_DBL_MAX);
    row_upper.push_back(-margins.constant[static_cast<size_t>(r)]);
  }
  for (int64_t r = 0; r < constraints.rows; ++r) {
    matrix.appendRow(RowOf(constraints, r));
    row_lower.push_back(-constraints.constant[static_cast<size_t>(r)]);
    row_upper.push_back(COIN_DBL_MAX);
  }
  std::vector<double> column_lower(lower, lower + inputs), column_upper(upper, upper + inputs);
  std::vector<double> objective(static_cast<size_t>(inputs) + 1, 0.0);
  column_lower.push_back(-COIN_DBL_MAX);
  column_upper.push_back(COIN_DBL_MAX);
  objective.back() = 1.0;
  ClpSimplex lp;
  lp.setLogLevel(0);
  lp.loadProblem(matrix, column_lower.data(), column_upper.data(), objective.data(), row_lower.data(),
                 row_upper.data());
  const StopHandler handler(stop);
  lp.passInEventHandler(&handler);
  lp.dual();
  MinMaxAnswer answer;
  if (!lp.isProvenOptimal()) return answer;
  answer.solved = true;
  answer.point.assign(lp.getColSolution(), lp.getColSolution() + inputs);
  const double* price = lp.getRowPrice();
  for (int64_t r = 0; r < margins.rows; ++r) answer.weights.push_back(std::max(0.0, -price[r]));
  for (int64_t r = 0; r < constraints.rows; ++r)
    answer.multipliers.push_back(std::max(0.0, price[margins.rows + r]));
  return answer;
}

}  // namespace espalier::search
