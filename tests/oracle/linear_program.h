// A dense linear program over a box, solved with Clp.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

namespace espalier::oracle {

struct HalfSpace {
  std::vector<double> normal;
  double rhs = 0;  // normal . x <= rhs
};

struct LinearProgram {
  std::vector<double> lower, upper;  // one per variable; infinities allowed
  std::vector<double> objective;     // minimised
  std::vector<HalfSpace> constraints;
};

struct Optimum {
  bool feasible = false;
  double value = 0;
  std::vector<double> point;
};

// INTERNAL when Clp stops without an answer.
absl::StatusOr<Optimum> Solve(const LinearProgram& program);

}  // namespace espalier::oracle
