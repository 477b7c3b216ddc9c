// Certified lower bounds of many rows of one node over one relaxation, in blocks that fit the memory (smaller
// ones where it runs out): the
// screening pass in float32 and the optimised, float64-certified one. Used on the whole network and on cones
// of it.
#pragma once

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/optimise.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

class RowBounder {
 public:
  explicit RowBounder(const Scope& scope) : scope_(scope) { Release(); }

  // One float32 pass, its own rounding allowance taken off: sound, and tight enough to decide most neurons.
  // Rows that were not reached before `stop` fired get -infinity.
  absl::Status Screen(const HostRows& rows, StopToken stop, std::vector<double>& lower);

  // `iterations` optimisation steps in float32 (0: adaptive slopes), then one float64 pass.
  absl::Status Bound(const HostRows& rows, const OptimiseSettings& settings, StopToken stop,
                     std::vector<double>& lower);

 private:
  absl::Status Blocks(const HostRows& rows, const StopToken& stop, std::vector<double>& lower,
                      absl::FunctionRef<absl::Status(const HostRows& part, double* lower)> bound);
  absl::Status ScreenBlock(const HostRows& part, double* lower);
  absl::Status BoundBlock(const HostRows& part, const OptimiseSettings& settings, StopToken stop,
                          double* lower);
  // Gives the passes' buffers back, which are as large as the largest block so far.
  void Release() { optimiser_.emplace(*scope_.plan); }

  Scope scope_;
  std::optional<Optimiser<float>> optimiser_;
  bool short_ = false;  // memory has run out: no buffers are kept from one call to the next
};

// Rows per block so that the widest layer's coefficients stay near the processor's cache.
int64_t RowsPerBlock(const Plan& plan);

}  // namespace espalier::bounds
