// Typed access to tensor elements, shapes and broadcasting for the operators' evaluate functions.
//
// Storage follows the element type: float32 -> float, float64 -> double, bool -> uint8_t, everything else ->
// int64_t.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {

template <class T>
const std::vector<T>& Elements(const Tensor& tensor) {
  return std::get<std::vector<T>>(tensor.data);
}

inline bool IsFloat(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat64;
}
inline bool IsInteger(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kInt32;
}

// The int64 nearest to x, saturating; 0 for NaN.
inline int64_t SaturateToInt(double x) {
  if (!(x == x)) return 0;
  if (x >= 9223372036854775808.0) return std::numeric_limits<int64_t>::max();
  if (x <= -9223372036854775808.0) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(x);
}

// Row-major strides, in elements.
std::vector<int64_t> RowMajorStrides(const Shape& shape);

// Strides of `shape` when it is broadcast to `target`: 0 along repeated dimensions.
std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& target);

// Numpy broadcasting; INVALID_ARGUMENT naming the node when the shapes do not fit.
absl::StatusOr<Shape> BroadcastShapes(const OpContext& context, const Shape& a, const Shape& b);
absl::StatusOr<Shape> BroadcastInputs(const OpContext& context);

// A dimension number in [-rank, rank) as one in [0, rank).
absl::StatusOr<int64_t> NormaliseAxis(const OpContext& context, int64_t axis, int64_t rank);

// The axes of a node, sorted and without duplicates, from the constant input `input` or else from attribute
// 'axes'; empty when the node gives none. UNIMPLEMENTED when the input is not constant.
absl::StatusOr<std::vector<int64_t>> ReadAxes(const OpContext& context, int input, int64_t rank);

// The integers of constant input i. UNIMPLEMENTED when it is not constant, INVALID_ARGUMENT when not
// integers.
absl::StatusOr<std::vector<int64_t>> ConstantInts(const OpContext& context, int i, const char* what);

// UNIMPLEMENTED unless all present inputs from `first` on have the element type of input `first` and it is
// floating.
absl::Status RequireFloat(const OpContext& context, int first = 0);

// Calls f(destination, offset_a, offset_b, ...) for every element of `target`, in row-major order, where
// offset_k is the element of operand k that broadcasts there.
template <size_t N, class F>
void ForEachBroadcast(const Shape& target, const std::array<std::vector<int64_t>, N>& strides, F f) {
  const size_t rank = target.size();
  std::vector<int64_t> index(rank, 0);
  std::array<int64_t, N> offset{};
  const int64_t inner = rank == 0 ? 1 : target[rank - 1];
  std::array<int64_t, N> step{};
  for (size_t k = 0; rank > 0 && k < N; ++k) step[k] = strides[k][rank - 1];
  const int64_t total = *ElementCount(target);
  for (int64_t done = 0; done < total; done += inner) {
    std::array<int64_t, N> at = offset;
    for (int64_t i = 0; i < inner; ++i) {
      f(static_cast<size_t>(done + i), at);
      for (size_t k = 0; k < N; ++k) at[k] += step[k];
    }
    for (size_t d = rank < 2 ? 0 : rank - 1; d-- > 0;) {
      ++index[d];
      for (size_t k = 0; k < N; ++k) offset[k] += strides[k][d];
      if (index[d] < target[d]) break;
      for (size_t k = 0; k < N; ++k) offset[k] -= strides[k][d] * target[d];
      index[d] = 0;
    }
  }
}

// A copy of `source` with another shape of the same size.
Tensor Reshaped(const Tensor& source, Shape shape);

// Element (i, j, ...) of the result is element (maps[0][i], maps[1][j], ...) of `source`, or `fill` when any
// map says -1.
Tensor PickGrid(const Tensor& source, const std::vector<std::vector<int64_t>>& maps, double fill = 0);

// Element k of the result (row-major over `shape`) is the source element at sum of index * stride.
Tensor PickStrided(const Tensor& source, Shape shape, const std::vector<int64_t>& strides);

}  // namespace espalier::ops
