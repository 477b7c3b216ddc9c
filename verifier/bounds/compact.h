// The network that is left below a root (backend/compact.h): constant neurons gone, linear ones merged into
// the weights behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_certifier.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

// Coefficients of a network that are worth listing one by one.
inline constexpr int64_t kMostCompactWork = int64_t{1} << 25;

// `boxes` has one domain. Unstable neurons are those of `relaxation` (made from `layers`), in its order.
// nullopt when the network has more than `max_work` coefficients before anything is dropped: too many to list
// one by one.
std::optional<backend::CompactNetwork> MakeCompactNetwork(const Plan& plan, const InputBoxes& boxes,
                                                          const std::vector<LayerBox>& layers,
                                                          const Relaxation<double>& relaxation,
                                                          int64_t max_work);

// The slope of neuron i, which is linear between its bounds.
double SlopeBetween(const ir::HingeLayer& hinge, const LayerBox& box, size_t i);

// The line of neuron i of a layer with one domain's bounds.
void AppendCompactLine(const ir::HingeLayer& hinge, const LayerBox& box, size_t i,
                       backend::CompactLines& lines);

// What a claim that has been bounded proves: its bound less all that rounding may have added, and less what
// the making of the claim itself may have (`offset_error`). -infinity when that is not a number.
double Proved(const backend::CompactClaim& claim, double offset_error);

}  // namespace espalier::bounds
