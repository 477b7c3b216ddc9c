// The part of a network that a rectangle of one image-shaped node depends on.
//
// A neuron of an early convolution sees only a small window of each earlier layer. Rows of one rectangle
// share those windows, so bounding them on the cone costs what the windows cost, with ordinary dense
// coefficients: the cone is itself a Network, whose neurons compute exactly what the original's do.
//
//   auto cone = ir::ExtractCone(network, node, image, {0, 4, 0, 4});
//   // cone->network.output is the rectangle; cone->neurons[i][k] is the original index of neuron k of node i
//
// Rectangles travel back through convolutions, identities, scales and activations; behind a dense or sparse
// map the whole predecessor is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/ir/network.h"

namespace espalier::ir {

// Rows [top, bottom) and columns [left, right) of an image, all channels.
struct ImageRect {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const ImageRect&) const = default;
};

struct Cone {
  Network network;           // input_order is the identity
  std::vector<NodeId> node;  // original node of each node; -1 for crops that the cone adds
  std::vector<std::vector<int32_t>>
      neurons;  // per node: original neuron of each neuron (empty for added crops)
};

// `start` is an affine node whose neurons are an image of shape `image` (channels-last). nullopt when some
// part of the dependency cannot be cut out (a convolution whose predecessor is laid out in another shape).
std::optional<Cone> ExtractCone(const Network& network, NodeId start, const ImageShape& image,
                                const ImageRect& rect);

// from[at[0]], from[at[1]], ...: a cone's share of per-neuron values.
std::vector<double> Gather(const std::vector<double>& from, const std::vector<int32_t>& at);

// Image shape of a node as its own or its maps' geometry tells; c == 0 when it has none.
ImageShape ShapeOfNode(const Network& network, NodeId node);

}  // namespace espalier::ir
