// Algebra of linear maps: products, sums and what they cost. Results are the real ones rounded once per
// coefficient, or there is no result (exact_sum.h); zero padding needs no special care, because a constant
// shift in front of a map moves into the per-neuron bias of the node behind it (see fold.h in ops/).
//
//   LinearMap batch_norm = ScaleMap{...}, conv = ConvMap{...};
//   if (std::optional<LinearMap> folded = Compose(batch_norm, conv)) Use(*folded);  // still a ConvMap
//
// Stateless; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifier/ir/linear_map.h"

namespace espalier::ir {

// Multiply-adds of one application, in units of a dense one. An entry of a SparseMap counts kSparseEntryWork
// of them: it is gathered, not streamed. IdentityMap costs nothing.
inline constexpr double kSparseEntryWork = 8;
double Work(const LinearMap& map);

// Upper estimate of Work(Compose(outer, inner)) without computing it; nullopt where the product has no
// structured form (two convolutions, say), in which case Compose has none either. Compose also has none where
// rounding is in the way.
std::optional<double> ComposedWork(const LinearMap& outer, const LinearMap& inner);

// outer ∘ inner. Sizes must match. Dense results with few non-zeros come back as SparseMap when that is less
// work. nullopt, too, when terms of a coefficient cancel so far that its double would be more than
// kMaxRoundings away from the real value, or when one overflows. Products with a selection or permutation,
// and all others whose coefficients are doubles, are exact.
//
// roundings (null: both maps are the real ones): in, AffineTerm::roundings of both maps added up; out, that
// of the product. Untouched without a product.
std::optional<LinearMap> Compose(const LinearMap& outer, const LinearMap& inner, double* roundings = nullptr);

// a + b, of equal sizes; nullopt where the sum has no structured form (a convolution and anything but a
// convolution of the same geometry) or rounding is in the way. roundings: as for Compose, in: the larger one.
std::optional<LinearMap> Sum(const LinearMap& a, const LinearMap& b, double* roundings = nullptr);

// The form of the same map with the least Work: Conv between a whole image and one pixel becomes Dense, Dense
// becomes Sparse where it has few non-zeros, Sparse becomes Identity or Scale where it is one, Scale by ones
// becomes Identity.
LinearMap Simplify(LinearMap map);

// The same map as a list of its non-zero entries.
SparseMap ToSparse(const LinearMap& map);

// All coefficients zero.
bool IsZero(const LinearMap& map);

// Per-neuron factors of an element-wise map (Identity or Scale), nullopt for others.
std::optional<std::vector<double>> ElementwiseScale(const LinearMap& map);

// y_i = x_{source[i]}; source[i] < 0 gives zero. `cols` is the size of x.
SparseMap GatherMap(const std::vector<int64_t>& source, int64_t cols);

// The gathered indices of a SparseMap that permutes all its inputs (values 1), else nullopt.
std::optional<std::vector<int64_t>> AsPermutation(const LinearMap& map);

// x_j += sum_i |W_ij| y_i: which inputs reach the outputs that y marks.
void AbsApplyTransposed(const LinearMap& map, const std::vector<double>& y, std::vector<double>& x);

}  // namespace espalier::ir
