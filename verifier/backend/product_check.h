// Compares a library's products with plain loops: old or misconfigured ones are known to compute wrong
// results on some processors, and products of shortened factors (TF32, bfloat16) would void every proof. For
// backends to call before they rely on a library.
//
//   ESPALIER_RETURN_IF_ERROR(CheckProducts(SampleConv(), prepared->longest_sum(), by_library, by_library));
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

inline constexpr int64_t kCheckedRows = 3;

// x W^T of kCheckedRows rows, or x W when not `forward`.
template <class T>
using Product = absl::FunctionRef<absl::StatusOr<std::vector<T>>(const std::vector<T>& x, bool forward)>;

// INTERNAL when an element is further from the exact sum than some order of summation explains. longest_sum:
// terms of the map's longest sum.
absl::Status CheckProducts(const ir::LinearMap& map, int64_t longest_sum, Product<float> f32,
                           Product<double> f64);

// What to check: factors with full mantissas, so that a product of shortened ones shows.
ir::LinearMap SampleDense(int64_t rows, int64_t cols);
ir::LinearMap SampleConv();

}  // namespace espalier::backend
