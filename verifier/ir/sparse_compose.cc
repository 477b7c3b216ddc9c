#include "verifier/ir/sparse_compose.h"

#include <algorithm>

#include "verifier/ir/compose.h"
#include "verifier/ir/conv_compose.h"

namespace espalier::ir {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

// One term of an entry: column, and the two factors.
struct Term {
  int32_t column = 0;
  double a = 0, b = 0;
};

// Appends one row given as terms in any order; sums equal columns, drops zeros, empties `terms`.
bool AppendRow(std::vector<Term>& terms, SparseMap& out, RoundingBound& bound) {
  std::sort(terms.begin(), terms.end(), [](const Term& s, const Term& t) { return s.column < t.column; });
  for (size_t k = 0; k < terms.size();) {
    const int32_t column = terms[k].column;
    ExactSum sum;
    for (; k < terms.size() && terms[k].column == column; ++k) sum.AddProduct(terms[k].a, terms[k].b);
    if (!bound.Accept(sum)) return false;
    if (sum.result() == 0) continue;
    out.column.push_back(column);
    out.value.push_back(sum.result());
  }
  out.row_begin.push_back(static_cast<int64_t>(out.value.size()));
  terms.clear();
  return true;
}

// The map with value k times factor(row, column).
template <class Factor>
std::optional<SparseMap> ScaleEntries(const SparseMap& map, RoundingBound& bound, Factor factor) {
  SparseMap out{map.rows, map.cols, {0}, {}, {}};
  std::vector<Term> terms;
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t k = map.row_begin[At(r)]; k < map.row_begin[At(r) + 1]; ++k) {
      const int32_t column = map.column[At(k)];
      terms.push_back({column, map.value[At(k)], factor(At(r), At(column))});
    }
    if (!AppendRow(terms, out, bound)) return std::nullopt;
  }
  return out;
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

std::optional<SparseMap> Product(const SparseMap& outer, const SparseMap& inner, RoundingBound& bound) {
  SparseMap out{outer.rows, inner.cols, {0}, {}, {}};
  std::vector<Term> terms;
  for (int64_t r = 0; r < outer.rows; ++r) {
    for (int64_t k = outer.row_begin[At(r)]; k < outer.row_begin[At(r) + 1]; ++k) {
      const auto middle = At(outer.column[At(k)]);
      for (int64_t j = inner.row_begin[middle]; j < inner.row_begin[middle + 1]; ++j) {
        terms.push_back({inner.column[At(j)], outer.value[At(k)], inner.value[At(j)]});
      }
    }
    if (!AppendRow(terms, out, bound)) return std::nullopt;
  }
  return out;
}

std::optional<SparseMap> AddEntries(const SparseMap& a, const SparseMap& b, RoundingBound& bound) {
  SparseMap out{a.rows, a.cols, {0}, {}, {}};
  std::vector<Term> terms;
  for (int64_t r = 0; r < a.rows; ++r) {
    for (const SparseMap* m : {&a, &b}) {
      for (int64_t k = m->row_begin[At(r)]; k < m->row_begin[At(r) + 1]; ++k) {
        terms.push_back({m->column[At(k)], m->value[At(k)], 1.0});
      }
    }
    if (!AppendRow(terms, out, bound)) return std::nullopt;
  }
  return out;
}

std::optional<SparseMap> ScaleRows(const SparseMap& map, const std::vector<double>& scale,
                                   RoundingBound& bound) {
  return ScaleEntries(map, bound, [&](size_t row, size_t) { return scale[row]; });
}

std::optional<SparseMap> ScaleColumns(const SparseMap& map, const std::vector<double>& scale,
                                      RoundingBound& bound) {
  return ScaleEntries(map, bound, [&](size_t, size_t column) { return scale[column]; });
}

std::optional<std::vector<double>> DiagonalOf(const SparseMap& map) {
  if (map.rows != map.cols) return std::nullopt;
  std::vector<double> scale(At(map.rows), 0.0);
  for (int64_t r = 0; r < map.rows; ++r) {
    const int64_t begin = map.row_begin[At(r)], entries = map.row_begin[At(r) + 1] - begin;
    if (entries > 1 || (entries == 1 && map.column[At(begin)] != r)) return std::nullopt;
    if (entries == 1) scale[At(r)] = map.value[At(begin)];
  }
  return scale;
}

}  // namespace espalier::ir
