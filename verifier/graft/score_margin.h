// How far a bound on the classification margin is from the truth, and which neurons' relaxations are to
// blame.
//
// Of one sample, take the row label - other class with the smallest lower bound, and the corner x of its box
// where that bound is attained. Walking back from the output, the bound replaces f(z) by a line at every
// unstable neuron; z the neuron's true pre-activation at x, the replacement costs
//   contribution = coefficient * (f(z) - line(z)) >= 0,
// and the contributions of all neurons add up to margin(x) - bound exactly: nothing else is lost.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/plan.h"
#include "verifier/graft/score_bounds.h"

namespace espalier::graft {

struct MarginScores {
  std::vector<double> bound;                      // [samples] smallest lower bound; NaN: none
  std::vector<double> attained;                   // [samples] the margin itself at that bound's corner
  std::vector<std::vector<double>> contribution;  // [activation][samples * neurons]
};

// Needs at least two outputs. `iterations` > 0: slopes of the rows are optimised first.
absl::Status ScoreMargins(const bounds::Plan& plan, const SampleBounds& bounds,
                          const std::vector<int32_t>& labels, int64_t iterations, StopToken stop,
                          MarginScores& scores);

}  // namespace espalier::graft
