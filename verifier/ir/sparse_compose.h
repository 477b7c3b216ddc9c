// Compressed-sparse-row algebra behind compose.h. Rows of results have ascending columns without duplicates
// or explicit zeros.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/ir/linear_map.h"

namespace espalier::ir {

// Entries of outer ∘ inner before equal columns are merged.
int64_t ProductEntries(const SparseMap& outer, const SparseMap& inner);
SparseMap Product(const SparseMap& outer, const SparseMap& inner);

SparseMap AddEntries(const SparseMap& a, const SparseMap& b);
SparseMap ScaleRows(SparseMap map, const std::vector<double>& scale);
SparseMap ScaleColumns(SparseMap map, const std::vector<double>& scale);

// The diagonal of a square map that has no entry beside it.
std::optional<std::vector<double>> DiagonalOf(const SparseMap& map);

}  // namespace espalier::ir
