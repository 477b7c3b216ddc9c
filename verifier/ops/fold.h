// Folding: rewrites a freshly lowered Network into an equal one with less work and fewer nodes. Folded
// coefficients are sums in twice the working precision, rounded once; where that may still be noticed (terms
// cancel, or a factor is itself rounded), the nodes stay apart. See AffineTerm::roundings in ir/network.h.
//
//   ops::Fold(network);   // Conv, BatchNormalization, Mul by a mask, Add of a line, Relu ... -> affine + one
//   Hinge layer
//
// Passes, repeated until the number of nodes stays:
//   1. FoldElementwise: chains of per-neuron factors and shifts join; an activation combined per neuron with
//   its own
//      argument becomes one Hinge layer, which is how every spelling of a graft turns into data.
//   2. FoldAffine: an affine node joins its affine consumers where that does not raise the work. A shift in
//   front of
//      zero padding needs no exception: biases are per neuron, so what it adds at the border is kept exactly.
//   3. A permutation of the input moves into Network::input_order.
// At the end hinge neurons without influence on the output become (0,0,0).
//
// Requires: the invariants of ir/network.h. They hold afterwards. The output node is kept, and affine nodes
// that feed activations keep their names.
#pragma once

#include "verifier/ir/network.h"

namespace espalier::ops {

struct FoldSettings {
  bool keep_input_scale = false;  // factors and shifts of the input stay a node of their own
};
void Fold(ir::Network& network, const FoldSettings& settings = {});

}  // namespace espalier::ops
