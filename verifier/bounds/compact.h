// The network that is left below a root (backend/compact.h): constant neurons gone, linear ones merged into
// the weights behind them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

// `boxes` has one domain. Unstable neurons are those of `relaxation` (made from `layers`), in its order.
// nullopt when the network has more than `max_work` coefficients before anything is dropped: too many to list
// one by one.
std::optional<backend::CompactNetwork> MakeCompactNetwork(const Plan& plan, const InputBoxes& boxes,
                                                          const std::vector<LayerBox>& layers,
                                                          const Relaxation<double>& relaxation,
                                                          int64_t max_work);

}  // namespace espalier::bounds
