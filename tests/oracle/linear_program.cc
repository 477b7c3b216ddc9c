#include "tests/oracle/linear_program.h"

#include <ClpSimplex.hpp>
#include <CoinPackedMatrix.hpp>

#include "absl/strings/str_cat.h"

namespace espalier::oracle {

absl::StatusOr<Optimum> Solve(const LinearProgram& program) {
  const int variables = static_cast<int>(program.objective.size());
  const int rows = static_cast<int>(program.constraints.size());
  CoinPackedMatrix matrix(/*colordered=*/false, 0, 0);
  matrix.setDimensions(0, variables);
  std::vector<double> row_upper;
  std::vector<int> index(static_cast<size_t>(variables));
  for (int i = 0; i < variables; ++i) index[static_cast<size_t>(i)] = i;
  for (const HalfSpace& constraint : program.constraints) {
    matrix.appendRow(variables, index.data(), constraint.normal.data());
    row_upper.push_back(constraint.rhs);
  }
  const std::vector<double> row_lower(static_cast<size_t>(rows), -COIN_DBL_MAX);

  ClpSimplex solver;
  solver.setLogLevel(0);
  solver.setPrimalTolerance(1e-9);
  solver.setDualTolerance(1e-9);
  solver.loadProblem(matrix, program.lower.data(), program.upper.data(), program.objective.data(),
                     row_lower.data(), row_upper.data());
  solver.dual();
  if (solver.status() != 0 && solver.status() != 1) solver.primal();
  if (solver.status() == 1) return Optimum{};
  if (solver.status() != 0)
    return absl::InternalError(absl::StrCat("Clp stopped with status ", solver.status()));
  const double* point = solver.primalColumnSolution();
  return Optimum{true, solver.objectiveValue(), std::vector<double>(point, point + variables)};
}

}  // namespace espalier::oracle
