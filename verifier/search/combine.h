// The best non-negative combination of several rows' linear lower bounds over one box.
//
// Rows of a conjunction need not be refutable one by one: the conjunction is refuted when some combination
// with weights w >= 0, sum w = 1, of the rows' affine lower bounds λ_i·x + c_i is positive on the whole box.
// That is the dual of min over x of max over i, a small linear program, approached by mirror ascent on w and,
// where its value may be positive, solved exactly; any w gives a sound bound.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/base/stop_token.h"

namespace espalier::search {

// Affine lower bounds of k rows over n inputs: lambda [k][n], constant [k] (already lowered by its rounding
// allowance).
struct AffineBounds {
  int64_t rows = 0;
  int64_t inputs = 0;
  std::vector<double> lambda;
  std::vector<double> constant;
};

// Adds the rows of `more` (over the same inputs) behind those of `rows`.
void Append(const AffineBounds& more, AffineBounds& rows);

struct Combination {
  std::vector<double> weights;  // [rows], non-negative, sum about 1
  double bound = 0;             // certified: its own rounding is taken off
  std::vector<double> point;    // near the program's own solution, in the box
};

// lower, upper: [inputs]. Deterministic, unless `stop` fires: then the weights are what was found so far.
Combination BestCombination(const AffineBounds& rows, const double* lower, const double* upper,
                            const StopToken& stop);

}  // namespace espalier::search
