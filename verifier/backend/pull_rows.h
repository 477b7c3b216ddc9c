// Sparse rows as the kernels of compact bounders read them, on every device: neighbouring rows with the same
// columns stand together, so that a column that was loaded serves several of them. Plain structs, nothing to
// instantiate.
#pragma once

#include <cstdint>

namespace espalier::backend {

// A group's weights begin at a multiple of this, so that as many can be loaded at once.
inline constexpr int64_t kWeightAlignment = 4;

// Rows first .. first + rows - 1 that read the same columns. weights are [columns][rows].
struct PullGroup {
  int32_t first = 0;
  int32_t rows = 0;
  int64_t column_begin = 0;
  int64_t columns = 0;
  int64_t weight_begin = 0;
};

template <class T>
struct PullRowsOf {
  const PullGroup* groups = nullptr;
  int64_t count = 0;
  const int32_t* column = nullptr;
  const T* weight = nullptr;
  const T* bias = nullptr;  // per slot; null: zero
};
using PullRows = PullRowsOf<float>;

}  // namespace espalier::backend
