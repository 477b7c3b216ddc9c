// The network at the centre of a box, in float32: a guess at the side that each neuron is on. Decides
// nothing.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

// Pre-activations, per activation [neurons]. `boxes` holds one domain.
absl::StatusOr<std::vector<std::vector<float>>> PreActivationsAtCentre(const Plan& plan,
                                                                       const InputBoxes& boxes);

}  // namespace espalier::bounds
