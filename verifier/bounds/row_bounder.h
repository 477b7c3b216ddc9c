// Certified lower bounds of many rows of one node over one relaxation, in blocks that fit the memory: the
// screening pass in float32 and the optimised, float64-certified one. Used on the whole network and on cones
// of it.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/optimise.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

class RowBounder {
 public:
  explicit RowBounder(const Scope& scope) : scope_(scope), optimiser_(*scope.plan) {}

  // One float32 pass, its own rounding allowance taken off: sound, and tight enough to decide most neurons.
  // Rows that were not reached before `stop` fired get -infinity.
  absl::Status Screen(const HostRows& rows, StopToken stop, std::vector<double>& lower);

  // `iterations` optimisation steps in float32 (0: adaptive slopes), then one float64 pass.
  absl::Status Bound(const HostRows& rows, const OptimiseSettings& settings, StopToken stop,
                     std::vector<double>& lower);

 private:
  Scope scope_;
  Optimiser<float> optimiser_;
};

// Rows per block so that the widest layer's coefficients stay near the processor's cache.
int64_t RowsPerBlock(const Plan& plan);

}  // namespace espalier::bounds
