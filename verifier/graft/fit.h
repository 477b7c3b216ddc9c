// Where the lines of grafted neurons start: the least-squares line of the old activation on each neuron's own
// pre-activations, layer by layer, so that later fits see the grafted outputs of earlier layers.
//
//   ESPALIER_ASSIGN_OR_RETURN(ir::Network grafted, FitLines(network, mask, samples, settings, backend,
//   stop));
//
// Closed form: slope = cov(z, f(z)) / var(z), intercept = mean f(z) - slope mean z; where z does not vary,
// the neuron becomes the constant mean f(z). All sums in double; the lines themselves are float32 numbers, as
// training and export keep them. One forward pass over the samples in all: they stay on the host between
// layers (samples * widest layer * 8 bytes or so).
//
// Errors: INVALID_ARGUMENT (mask of another network, samples that do not fit, values that are not finite),
// CANCELLED, and what the backend reports. Data is read for kLeastSquares only.
#pragma once

#include "absl/status/statusor.h"
#include "verifier/graft/select.h"

namespace espalier::graft {

enum class LineStart { kLeastSquares, kConstantSlope, kPruned };

struct FitSettings {
  LineStart start = LineStart::kLeastSquares;
  double constant_slope = 0.4;  // of kConstantSlope, with intercept 0
  int64_t samples = 1000;
};

// A copy of the network with hinge (a, a, b) at every neuron of the mask.
absl::StatusOr<ir::Network> FitLines(const ir::Network& network, const Mask& mask, const Samples& samples,
                                     const FitSettings& settings, backend::Backend& backend, StopToken stop);

}  // namespace espalier::graft
