// How far two networks of equal input and output can differ over boxes: certified bounds of the difference,
// and what a gradient search finds.
//
//   ESPALIER_ASSIGN_OR_RETURN(Differences d, CompareNetworks(base, other, samples, {.epsilon = 0.01},
//                                                            *backend, stop));
//   d.found[0] <= true maximum over the box of the first sample <= d.bound[0]
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

struct CompareSettings {
  double epsilon = 0;  // radius of the boxes, input units; boxes are cut to [low, high]
  double low = 0, high = 1;
  int64_t samples = 100;
  int64_t alpha_iterations = 20;
  std::function<void(int64_t done, int64_t total)> progress = nullptr;  // after every sample; may be null
};

struct Differences {
  // [samples] certified: max over the box and the outputs of |other - base|; +infinity: not bounded.
  std::vector<double> bound;
  // [samples] largest difference that was seen, at the sample or by search, evaluated in double: a lower
  // bound of the maximum up to the rounding of that evaluation.
  std::vector<double> found;
  int64_t disagree = 0;  // samples whose predicted classes differ at the sample itself
};

// One network that computes other(x) - base(x), its input stored in base's order; what both compute alike is
// shared. INVALID_ARGUMENT when inputs or outputs do not fit.
absl::StatusOr<ir::Network> DifferenceNetwork(const ir::Network& base, const ir::Network& other);

// Compares on the first `settings.samples` . INVALID_ARGUMENT when networks, data or settings do
// not fit, CANCELLED when `stop` fires, RESOURCE_EXHAUSTED.
absl::StatusOr<Differences> CompareNetworks(const ir::Network& base, const ir::Network& other,
                                            const Samples& samples, const CompareSettings& settings,
                                            backend::Backend& backend, StopToken stop);

}  // namespace espalier::graft
