// The network that is left below a part of a root, from the one below the root itself: fewer neurons are
// unstable there, and nothing else changes. Making it anew from the whole network costs as much as many
// bounds, above all where lines have been multiplied into what reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/bounds/plan.h"
#include "verifier/bounds/relaxation.h"
#include "verifier/bounds/rows.h"

namespace espalier::bounds {

// A compact network with the neurons that it takes for unstable, per activation, ascending.
struct LeftNetwork {
  backend::CompactNetwork network;
  std::vector<std::vector<int32_t>> unstable;
};

// Below the root of `boxes` (one domain) and `layers`, whose unstable neurons are those of `relaxation`.
// `from`: null, or that of a root whose bounds contain these. nullopt where the network is too large to be
// listed (kMostCompactWork).
std::optional<LeftNetwork> MakeLeftNetwork(const Plan& plan, const InputBoxes& boxes,
                                           const std::vector<LayerBox>& layers,
                                           const Relaxation<double>& relaxation, const LeftNetwork* from);

}  // namespace espalier::bounds
