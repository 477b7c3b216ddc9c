// How much of a bound's looseness each input of a box is to blame for.
//
// A bound over a box is loose because neurons are relaxed, and a relaxed neuron gets tighter when an input
// that moves its pre-activation is halved. The bound's own coefficients at the input do not show that: an
// input may hardly move the output and yet keep neurons unstable. So the inputs' widths are sent forward
// through the network (stable neurons with their slope, unstable ones with their chord's), and each unstable
// neuron's share of the looseness is divided among the inputs by how far each moves it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/intermediate.h"

namespace espalier::search {

struct InfluenceQuery {
  const bounds::DomainBounds* layers = nullptr;
  std::vector<int32_t> domain, input;  // [rows]: wanted pairs of domain and free input, by domain
  std::vector<float> width;            // [rows]: of the input
  // Per activation, [domains][neurons]: what the neuron's relaxation costs the bound, >= 0.
  std::vector<std::vector<double>> looseness;
};

// [rows]: the share of the domain's looseness, in units of the bound. A heuristic: nothing sound rests on it.
absl::StatusOr<std::vector<double>> InputInfluence(const bounds::Plan& plan, const InfluenceQuery& query);

}  // namespace espalier::search
