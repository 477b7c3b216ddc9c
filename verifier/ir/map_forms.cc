#include "verifier/ir/map_forms.h"

#include <algorithm>
#include <cmath>

namespace espalier::ir {

SparseMap Transposed(const SparseMap& map) {
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  SparseMap out{map.cols, map.rows, std::vector<int64_t>(at(map.cols) + 1, 0), {}, {}};
  for (int32_t c : map.column) ++out.row_begin[at(c) + 1];
  for (size_t c = 1; c < out.row_begin.size(); ++c) out.row_begin[c] += out.row_begin[c - 1];
  out.column.resize(map.column.size());
  out.value.resize(map.value.size());
  std::vector<int64_t> next(out.row_begin.begin(), out.row_begin.end() - 1);
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t k = map.row_begin[at(r)]; k < map.row_begin[at(r) + 1]; ++k) {
      const size_t slot = at(next[at(map.column[at(k)])]++);
      out.column[slot] = static_cast<int32_t>(r);
      out.value[slot] = map.value[at(k)];
    }
  }
  return out;
}

int64_t LongestRow(const SparseMap& map) {
  int64_t longest = 1;
  for (size_t r = 1; r < map.row_begin.size(); ++r)
    longest = std::max(longest, map.row_begin[r] - map.row_begin[r - 1]);
  return longest;
}

ConvMap GeometryOf(const ConvMap& map) {
  return {map.big_h,      map.big_w,      map.big_c,      map.small_h,
          map.small_w,    map.small_c,    map.kernel_h,   map.kernel_w,
          map.stride_h,   map.stride_w,   map.pad_top,    map.pad_left,
          map.dilation_h, map.dilation_w, map.transposed, {}};
}

LinearMap Absolute(LinearMap map) {
  std::vector<double>* values = nullptr;
  if (auto* scale = std::get_if<ScaleMap>(&map)) values = &scale->scale;
  if (auto* dense = std::get_if<DenseMap>(&map)) values = &dense->weights;
  if (auto* conv = std::get_if<ConvMap>(&map)) values = &conv->kernel;
  if (auto* sparse = std::get_if<SparseMap>(&map)) values = &sparse->value;
  if (values == nullptr) return map;  // the identity
  for (double& v : *values) v = std::fabs(v);
  return map;
}

}  // namespace espalier::ir
