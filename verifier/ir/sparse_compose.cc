#include "verifier/ir/sparse_compose.h"

#include <algorithm>
#include <utility>

#include "verifier/ir/compose.h"
#include "verifier/ir/conv_compose.h"

namespace espalier::ir {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// Appends one row given as (column, value) pairs in any order; sums duplicates, drops zeros.
void AppendRow(std::vector<std::pair<int32_t, double>>& entries, SparseMap& out) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t k = 0; k < entries.size();) {
    const int32_t column = entries[k].first;
    double value = 0;
    for (; k < entries.size() && entries[k].first == column; ++k) value += entries[k].second;
    if (value == 0) continue;
    out.column.push_back(column);
    out.value.push_back(value);
  }
  out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
  entries.clear();
}

SparseMap DenseToSparse(const DenseMap& m) {
  SparseMap out{m.rows, m.cols, {0}, {}, {}};
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) {
      const double w = m.weights[At(r * m.cols + c)];
      if (w == 0) continue;
      out.column.push_back(static_cast<int32_t>(c));
      out.value.push_back(w);
    }
    out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
  }
  return out;
}

}  // namespace

SparseMap GatherMap(const std::vector<int64_t>& source, int64_t cols) {
  SparseMap out{static_cast<int64_t>(source.size()), cols, {0}, {}, {}};
  out.row_begin.reserve(source.size() + 1);
  for (int64_t s : source) {
    if (s >= 0) {
      out.column.push_back(static_cast<int32_t>(s));
      out.value.push_back(1.0);
    }
    out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
  }
  return out;
}

SparseMap ToSparse(const LinearMap& map) {
  if (const auto* m = std::get_if<SparseMap>(&map)) return *m;
  if (const auto* m = std::get_if<DenseMap>(&map)) return DenseToSparse(*m);
  if (const auto* m = std::get_if<ConvMap>(&map)) return ConvToSparse(*m);
  const std::vector<double> scale = ElementwiseScale(map).value_or(std::vector<double>());
  const auto n = static_cast<int64_t>(scale.size());
  SparseMap out{n, n, {0}, {}, {}};
  for (int64_t i = 0; i < n; ++i) {
    if (scale[At(i)] != 0) {
      out.column.push_back(static_cast<int32_t>(i));
      out.value.push_back(scale[At(i)]);
    }
    out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
  }
  return out;
}

int64_t ProductEntries(const SparseMap& outer, const SparseMap& inner) {
  int64_t count = 0;
  for (int32_t c : outer.column) count += inner.row_begin[At(c) + 1] - inner.row_begin[At(c)];
  return count;
}

SparseMap Product(const SparseMap& outer, const SparseMap& inner) {
  SparseMap out{outer.rows, inner.cols, {0}, {}, {}};
  std::vector<std::pair<int32_t, double>> entries;
  for (int64_t r = 0; r < outer.rows; ++r) {
    for (int64_t k = outer.row_begin[At(r)]; k < outer.row_begin[At(r) + 1]; ++k) {
      const auto middle = At(outer.column[At(k)]);
      for (int64_t j = inner.row_begin[middle]; j < inner.row_begin[middle + 1]; ++j) {
        entries.emplace_back(inner.column[At(j)], outer.value[At(k)] * inner.value[At(j)]);
      }
    }
    AppendRow(entries, out);
  }
  return out;
}

SparseMap AddEntries(const SparseMap& a, const SparseMap& b) {
  SparseMap out{a.rows, a.cols, {0}, {}, {}};
  std::vector<std::pair<int32_t, double>> entries;
  for (int64_t r = 0; r < a.rows; ++r) {
    for (const SparseMap* m : {&a, &b}) {
      for (int64_t k = m->row_begin[At(r)]; k < m->row_begin[At(r) + 1]; ++k) {
        entries.emplace_back(m->column[At(k)], m->value[At(k)]);
      }
    }
    AppendRow(entries, out);
  }
  return out;
}

SparseMap ScaleRows(SparseMap map, const std::vector<double>& scale) {
  SparseMap out{map.rows, map.cols, {0}, {}, {}};
  std::vector<std::pair<int32_t, double>> entries;
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t k = map.row_begin[At(r)]; k < map.row_begin[At(r) + 1]; ++k) {
      entries.emplace_back(map.column[At(k)], map.value[At(k)] * scale[At(r)]);
    }
    AppendRow(entries, out);
  }
  return out;
}

SparseMap ScaleColumns(SparseMap map, const std::vector<double>& scale) {
  for (size_t k = 0; k < map.value.size(); ++k) map.value[k] *= scale[At(map.column[k])];
  const std::vector<double> ones(At(map.rows), 1.0);
  return ScaleRows(std::move(map), ones);
}

std::optional<std::vector<double>> DiagonalOf(const SparseMap& map) {
  if (map.rows != map.cols) return std::nullopt;
  std::vector<double> scale(At(map.rows), 0.0);
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t k = map.row_begin[At(r)]; k < map.row_begin[At(r) + 1]; ++k) {
      if (map.column[At(k)] != r) return std::nullopt;
      scale[At(r)] += map.value[At(k)];
    }
  }
  return scale;
}

}  // namespace espalier::ir
