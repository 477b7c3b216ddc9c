// Networks to train, written as text: the architectures of the grafting paper by name, others by their
// layers.
//
//   ESPALIER_ASSIGN_OR_RETURN(BuiltNetwork built, BuildNetwork("cnn-b", /*seed=*/1));
//   BuildNetwork("input 1x8x8; conv 8 k3 s2 p1; relu; fc 32; relu; fc 10", 1);
//
// Layers, separated by ';':
//   input CxHxW | input N          first, once
//   normalise m1,m2,.. / s1,s2,..  mean and standard deviation per channel, kept inside the network
//   conv CHANNELS kK [sS] [pP | pT,L,B,R]     square kernel, stride (1), zero padding (0)
//   relu
//   fc N [xG]                      start weights times G (1)
//   block CHANNELS [sS]            residual: conv k3 p1, relu, conv k3 p1, added to the input (to its k1
//                                  convolution where shapes differ), relu
// Start weights are normal with variance 2 / fan-in (He et al. 2015), biases zero. INVALID_ARGUMENT names the
// layer at fault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"
#include "verifier/ir/network.h"

namespace espalier::train {

struct NamedSpec {
  std::string name, layers, meaning;
};

// cnn-b, conv-big, resnet-4b, cnn-17m, mnist-8x200.
const std::vector<NamedSpec>& NamedSpecs();

struct BuiltNetwork {
  ir::Network network;
  Shape input_shape;  // of one sample
};

absl::StatusOr<BuiltNetwork> BuildNetwork(std::string_view spec, uint64_t seed);

}  // namespace espalier::train
