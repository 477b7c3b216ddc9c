// Products of convolutions with per-channel factors and with zero padding, behind compose.h. nullopt where
// the product is no single convolution, or where a coefficient is not accepted by `bound`.
#pragma once

#include <optional>
#include <vector>

#include "verifier/ir/exact_sum.h"
#include "verifier/ir/linear_map.h"

namespace espalier::ir {

// One factor per output (input) channel, when the per-neuron factors agree over all pixels.
std::optional<std::vector<double>> OutputChannelScale(const ConvMap& map, const std::vector<double>& scale);
std::optional<std::vector<double>> InputChannelScale(const ConvMap& map, const std::vector<double>& scale);

// diag(scale) ∘ map and map ∘ diag(scale).
std::optional<LinearMap> ScaleOutputChannels(const ConvMap& map, const std::vector<double>& scale,
                                             RoundingBound& bound);
std::optional<LinearMap> ScaleInputChannels(const ConvMap& map, const std::vector<double>& scale,
                                            RoundingBound& bound);

// map ∘ inner where inner puts an image into the middle of a larger zero image: the convolution's own padding
// grows instead.
std::optional<LinearMap> AbsorbPadding(const ConvMap& map, const SparseMap& inner);

// The matrix of a convolution between a whole image and a single pixel, nullopt for others.
std::optional<DenseMap> AsMatrix(const ConvMap& map);

// The non-zero entries of a convolution.
SparseMap ConvToSparse(const ConvMap& map);

// Sum of two convolutions of the same geometry.
std::optional<LinearMap> AddKernels(const ConvMap& a, const ConvMap& b, RoundingBound& bound);

}  // namespace espalier::ir
