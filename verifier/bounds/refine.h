// Tighter bounds of all layers of one box from bounds that are there already: rows of every unstable neuron,
// optimised on the network that is left (backend/compact.h), then certified in float64 on the whole one.
//
//   DomainBounds bounds = *ComputeIntermediate(plan, boxes, {}, stop);
//   ESPALIER_RETURN_IF_ERROR(RefineBounds(plan, {.iterations = 20}, stop, bounds));
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/half_space.h"
#include "verifier/bounds/intermediate.h"

namespace espalier::bounds {

// Coefficients of a network that are worth listing one by one.
inline constexpr int64_t kMostCompactWork = int64_t{1} << 25;

struct RefineSettings {
  int64_t iterations = 20;
  const HalfSpace* inside = nullptr;  // bounds need hold inside only; what comes out holds for nothing else
};

// Layer by layer from the front, each from the tighter ones before it. Never looser than before; when `stop`
// fires, later layers keep what they had. UNIMPLEMENTED when the network or the device is not made for it.
absl::Status RefineBounds(const Plan& plan, const RefineSettings& settings, StopToken stop,
                          DomainBounds& bounds);

// Refines `from` by settings.iterations steps; where that is UNIMPLEMENTED, bounds its box anew and optimises
// on the whole network, within settings.max_flops.
absl::StatusOr<DomainBounds> OptimiseBounds(const Plan& plan, const IntermediateSettings& settings,
                                            StopToken stop, DomainBounds from);

}  // namespace espalier::bounds
