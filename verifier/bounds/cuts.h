// Cuts of a compact network: planes (bounds/hull_plane.h) that bound unstable neurons on the side of the
// chord, as stages that an optimisation mixes with the chord domain by domain (backend/compact.h,
// CompactStage).
//
//   std::optional<CutNetwork> cut = WithCuts(network, {lower, upper}, {domain.point, domain.coefficients});
//   ESPALIER_ASSIGN_OR_RETURN(auto bounder, backend.MakeCompact(cut->network));
//
// Valid where the network and the bounds are: below the same root, for the same disjunct where these assume
// one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "verifier/backend/compact.h"

namespace espalier::bounds {

// Certified bounds of the unstable neurons' pre-activations, [unstable].
struct NeuronRanges {
  std::vector<double> lower, upper;
};

// Where planes shall be low: CompactDomain's `point` and `coefficients` of the same network.
struct CutPoint {
  absl::Span<const float> values, coefficients;
};

struct CutNetwork {
  backend::CompactNetwork network;
  int64_t cuts = 0;
};

// A plane for each unstable neuron that the point puts on its chord and that has one notably below it there.
// The cuts' neurons are numbered behind all others. nullopt: no neuron has one.
std::optional<CutNetwork> WithCuts(const backend::CompactNetwork& network, const NeuronRanges& ranges,
                                   const CutPoint& point);

}  // namespace espalier::bounds
