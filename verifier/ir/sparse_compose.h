// Compressed-sparse-row algebra behind compose.h. Rows of results have ascending columns without duplicates
// or explicit zeros. nullopt where a coefficient is not accepted by `bound`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/ir/exact_sum.h"
#include "verifier/ir/linear_map.h"

namespace espalier::ir {

// Entries of outer ∘ inner before equal columns are merged.
int64_t ProductEntries(const SparseMap& outer, const SparseMap& inner);
std::optional<SparseMap> Product(const SparseMap& outer, const SparseMap& inner, RoundingBound& bound);

std::optional<SparseMap> AddEntries(const SparseMap& a, const SparseMap& b, RoundingBound& bound);
std::optional<SparseMap> ScaleRows(const SparseMap& map, const std::vector<double>& scale,
                                   RoundingBound& bound);
std::optional<SparseMap> ScaleColumns(const SparseMap& map, const std::vector<double>& scale,
                                      RoundingBound& bound);

// The diagonal of a square map that has no entry beside it and none twice.
std::optional<std::vector<double>> DiagonalOf(const SparseMap& map);

}  // namespace espalier::ir
