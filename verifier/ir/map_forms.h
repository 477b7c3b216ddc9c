// Maps in the forms that devices keep beside the map itself.
#pragma once

#include <cstdint>

#include "verifier/ir/linear_map.h"

namespace espalier::ir {

// Columns as rows; entries of each in ascending order of their rows.
SparseMap Transposed(const SparseMap& map);

// Entries of the longest row; at least 1.
int64_t LongestRow(const SparseMap& map);

// A convolution's geometry, without its coefficients.
ConvMap GeometryOf(const ConvMap& map);

// The map with the absolute values of its coefficients.
LinearMap Absolute(LinearMap map);

}  // namespace espalier::ir
