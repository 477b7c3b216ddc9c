// A small linear program that the search meets in two places, solved by Clp:
//
//     minimise t  subject to  margins_i(x) <= t,  constraints_j(x) >= 0,  lower <= x <= upper.
//
// Its duals are weights of the margins (summing to 1) and multipliers of the constraints. Nothing it says is
// believed: the point is replayed and the duals' bound is certified by the caller.
#pragma once

#include <vector>

#include "verifier/base/stop_token.h"
#include "verifier/search/combine.h"

namespace espalier::search {

struct MinMaxAnswer {
  bool solved = false;              // false: infeasible, not solved to optimality, or stopped
  std::vector<double> point;        // [inputs]
  std::vector<double> weights;      // [margins]
  std::vector<double> multipliers;  // [constraints]
};

// `constraints` may have zero rows. lower, upper: [inputs]. `stop` is polled at every iteration.
MinMaxAnswer SolveMinMax(const AffineBounds& margins, const AffineBounds& constraints, const double* lower,
                         const double* upper, const StopToken& stop);

}  // namespace espalier::search
