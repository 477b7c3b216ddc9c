// Networks to train, written as text: the architectures of the grafting paper by name, others by their
// layers.
//
//   ESPALIER_ASSIGN_OR_RETURN(ir::Network net, BuildNetwork("cnn-b", /*seed=*/1));
//   BuildNetwork("input 1x8x8; conv 8 k3 s2 p1; relu; fc 32; relu; fc 10", 1);
//
// Layers, separated by ';': `input CxHxW` or `input N`; `normalise m1,.. / s1,..` (mean and standard
// deviation per channel, inside the network); `conv CHANNELS kK [sS] [pP | pT,L,B,R]`; `relu`; `fc N`; `block
// CHANNELS [sS]` (residual: conv k3, relu, conv k3, added to the input or to its k1 convolution, relu). Start
// weights are He-normal. INVALID_ARGUMENT names the layer at fault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/ir/network.h"

namespace espalier::train {

struct NamedSpec {
  std::string name, layers, meaning;
};

// cnn-b, conv-big, resnet-4b, cnn-17m, mnist-8x200.
const std::vector<NamedSpec>& NamedSpecs();

absl::StatusOr<ir::Network> BuildNetwork(std::string_view spec, uint64_t seed);

}  // namespace espalier::train
