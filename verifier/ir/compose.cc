#include "verifier/ir/compose.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "verifier/ir/conv_compose.h"
#include "verifier/ir/entries.h"
#include "verifier/ir/exact_sum.h"
#include "verifier/ir/map_forms.h"
#include "verifier/ir/sparse_compose.h"

namespace espalier::ir {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

bool IsDense(const LinearMap& map) {
  return std::holds_alternative<DenseMap>(map);
}
bool IsIdentity(const LinearMap& map) {
  return std::holds_alternative<IdentityMap>(map);
}
const ScaleMap* AsScale(const LinearMap& map) {
  return std::get_if<ScaleMap>(&map);
}
const ConvMap* AsConv(const LinearMap& map) {
  return std::get_if<ConvMap>(&map);
}
const SparseMap* AsSparse(const LinearMap& map) {
  return std::get_if<SparseMap>(&map);
}

// out[i] = the sums, rounded; false when one is not accepted.
bool Store(const std::vector<ExactSum>& sums, RoundingBound& bound, double* out, int64_t stride = 1) {
  for (size_t i = 0; i < sums.size(); ++i) {
    if (!bound.Accept(sums[i])) return false;
    out[static_cast<int64_t>(i) * stride] = sums[i].result();
  }
  return true;
}

bool Multiply(double& value, double factor, RoundingBound& bound) {
  ExactSum product;
  product.AddProduct(value, factor);
  value = product.result();
  return bound.Accept(product);
}

// Every weight times factor(row, column).
template <class Factor>
std::optional<LinearMap> ScaleEntries(DenseMap m, RoundingBound& bound, Factor factor) {
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) {
      if (!Multiply(m.weights[At(r * m.cols + c)], factor(At(r), At(c)), bound)) return std::nullopt;
    }
  }
  return m;
}

// Row r of the product is inner^T applied to row r of outer.
std::optional<LinearMap> DenseTimes(const DenseMap& outer, const LinearMap& inner, RoundingBound& bound) {
  DenseMap out{outer.rows, InputSize(inner), {}};
  out.weights.resize(At(out.rows * out.cols));
  std::vector<ExactSum> row;
  for (int64_t r = 0; r < out.rows; ++r) {
    row.assign(At(out.cols), {});
    const double* factor = outer.weights.data() + r * outer.cols;
    ForEachEntry(inner, [&](double coefficient, int64_t k, int64_t c) {
      if (coefficient != 0 && factor[k] != 0) row[At(c)].AddProduct(factor[k], coefficient);
    });
    if (!Store(row, bound, out.weights.data() + r * out.cols)) return std::nullopt;
  }
  return out;
}

// Column c of the product is outer applied to column c of inner.
std::optional<LinearMap> TimesDense(const LinearMap& outer, const DenseMap& inner, RoundingBound& bound) {
  DenseMap out{OutputSize(outer), inner.cols, {}};
  out.weights.resize(At(out.rows * out.cols));
  std::vector<double> column(At(inner.rows));
  std::vector<ExactSum> image;
  for (int64_t c = 0; c < inner.cols; ++c) {
    for (int64_t r = 0; r < inner.rows; ++r) column[At(r)] = inner.weights[At(r * inner.cols + c)];
    image.assign(At(out.rows), {});
    ForEachEntry(outer, [&](double coefficient, int64_t r, int64_t k) {
      if (coefficient != 0 && column[At(k)] != 0) image[At(r)].AddProduct(coefficient, column[At(k)]);
    });
    if (!Store(image, bound, out.weights.data() + c, out.cols)) return std::nullopt;
  }
  return out;
}

std::optional<LinearMap> ComposeScaleOuter(const ScaleMap& outer, const LinearMap& inner,
                                           RoundingBound& bound) {
  if (const auto* m = AsScale(inner)) {
    ScaleMap out = outer;
    for (size_t i = 0; i < out.scale.size(); ++i) {
      if (!Multiply(out.scale[i], m->scale[i], bound)) return std::nullopt;
    }
    return out;
  }
  if (const auto* m = std::get_if<DenseMap>(&inner)) {
    return ScaleEntries(*m, bound, [&](size_t row, size_t) { return outer.scale[row]; });
  }
  if (const auto* m = AsSparse(inner)) return ScaleRows(*m, outer.scale, bound);
  if (const auto* m = AsConv(inner)) return ScaleOutputChannels(*m, outer.scale, bound);
  return std::nullopt;
}

std::optional<LinearMap> ComposeScaleInner(const LinearMap& outer, const ScaleMap& inner,
                                           RoundingBound& bound) {
  if (const auto* m = std::get_if<DenseMap>(&outer)) {
    return ScaleEntries(*m, bound, [&](size_t, size_t column) { return inner.scale[column]; });
  }
  if (const auto* m = AsSparse(outer)) return ScaleColumns(*m, inner.scale, bound);
  if (const auto* m = AsConv(outer)) return ScaleInputChannels(*m, inner.scale, bound);
  return std::nullopt;
}

std::optional<LinearMap> Multiply(const LinearMap& outer, const LinearMap& inner, RoundingBound& bound) {
  if (const auto* m = AsScale(outer)) return ComposeScaleOuter(*m, inner, bound);
  if (const auto* m = AsScale(inner)) return ComposeScaleInner(outer, *m, bound);
  if (IsDense(outer)) return DenseTimes(std::get<DenseMap>(outer), inner, bound);
  if (IsDense(inner)) return TimesDense(outer, std::get<DenseMap>(inner), bound);
  if (AsSparse(outer) && AsSparse(inner)) return Product(*AsSparse(outer), *AsSparse(inner), bound);
  if (AsConv(outer) && AsSparse(inner)) return AbsorbPadding(*AsConv(outer), *AsSparse(inner));
  return std::nullopt;
}

std::optional<LinearMap> AddToDense(DenseMap out, const LinearMap& other, RoundingBound& bound) {
  const SparseMap entries = ToSparse(other);
  const auto columns = At(out.cols);
  std::vector<ExactSum> row(columns);
  for (int64_t r = 0; r < out.rows; ++r) {
    double* weights = out.weights.data() + r * out.cols;
    for (size_t c = 0; c < columns; ++c) {
      row[c] = {};
      row[c].Add(weights[c]);
    }
    for (int64_t k = entries.row_begin[At(r)]; k < entries.row_begin[At(r) + 1]; ++k) {
      row[At(entries.column[At(k)])].Add(entries.value[At(k)]);
    }
    if (!Store(row, bound, weights)) return std::nullopt;
  }
  return out;
}

std::optional<LinearMap> AddScales(const std::vector<double>& a, const std::vector<double>& b,
                                   RoundingBound& bound) {
  std::vector<ExactSum> sums(a.size());
  for (size_t i = 0; i < sums.size(); ++i) sums[i].Add(a[i]), sums[i].Add(b[i]);
  ScaleMap out{a};
  if (!Store(sums, bound, out.scale.data())) return std::nullopt;
  return out;
}

std::optional<LinearMap> Add(const LinearMap& a, const LinearMap& b, RoundingBound& bound) {
  if (AsConv(a) && AsConv(b)) return AddKernels(*AsConv(a), *AsConv(b), bound);
  if (AsConv(a) || AsConv(b)) return std::nullopt;
  if (IsDense(a)) return AddToDense(std::get<DenseMap>(a), b, bound);
  if (IsDense(b)) return AddToDense(std::get<DenseMap>(b), a, bound);
  const auto scale_a = ElementwiseScale(a), scale_b = ElementwiseScale(b);
  if (scale_a && scale_b) return AddScales(*scale_a, *scale_b, bound);
  return AddEntries(ToSparse(a), ToSparse(b), bound);
}

}  // namespace

double Work(const LinearMap& map) {
  if (const auto* m = AsScale(map)) return static_cast<double>(m->scale.size());
  if (const auto* m = std::get_if<DenseMap>(&map)) return static_cast<double>(m->rows * m->cols);
  if (const auto* m = AsConv(map)) {
    return static_cast<double>(m->small_h * m->small_w * m->small_c) *
           static_cast<double>(m->kernel_h * m->kernel_w * m->big_c);
  }
  if (const auto* m = AsSparse(map)) return kSparseEntryWork * static_cast<double>(m->value.size());
  return 0;
}

std::optional<double> ComposedWork(const LinearMap& outer, const LinearMap& inner) {
  if (IsIdentity(outer)) return Work(inner);
  if (IsIdentity(inner)) return Work(outer);
  if (IsDense(outer) || IsDense(inner)) {
    return static_cast<double>(OutputSize(outer)) * static_cast<double>(InputSize(inner));
  }
  if (const auto* scale = AsScale(outer)) {
    const auto* conv = AsConv(inner);
    if (conv && !OutputChannelScale(*conv, scale->scale)) return std::nullopt;
    return Work(inner);
  }
  if (const auto* scale = AsScale(inner)) {
    const auto* conv = AsConv(outer);
    if (conv && !InputChannelScale(*conv, scale->scale)) return std::nullopt;
    return Work(outer);
  }
  if (AsSparse(outer) && AsSparse(inner)) {
    return kSparseEntryWork * static_cast<double>(ProductEntries(*AsSparse(outer), *AsSparse(inner)));
  }
  if (AsConv(outer) && AsSparse(inner) && AbsorbPadding(*AsConv(outer), *AsSparse(inner))) return Work(outer);
  return std::nullopt;
}

std::optional<LinearMap> Compose(const LinearMap& outer, const LinearMap& inner, double* roundings) {
  assert(InputSize(outer) == OutputSize(inner));
  if (IsIdentity(outer)) return inner;
  if (IsIdentity(inner)) return outer;
  RoundingBound bound(roundings ? *roundings : 0);
  std::optional<LinearMap> out = Multiply(outer, inner, bound);
  if (!out) return std::nullopt;
  // Padding that a convolution takes over leaves its kernel, and the kernel's roundings, as they are.
  const bool same_kernel = AsConv(outer) && AsSparse(inner);
  if (roundings && !same_kernel) *roundings = bound.roundings();
  return Simplify(*std::move(out));
}

std::optional<LinearMap> Sum(const LinearMap& a, const LinearMap& b, double* roundings) {
  RoundingBound bound(roundings ? *roundings : 0);
  std::optional<LinearMap> out = Add(a, b, bound);
  if (!out) return std::nullopt;
  if (roundings) *roundings = bound.roundings();
  const bool same_form = AsConv(*out) != nullptr;
  return same_form ? std::move(out) : Simplify(*std::move(out));
}

LinearMap Simplify(LinearMap map) {
  if (const auto* m = AsConv(map)) {
    if (auto matrix = AsMatrix(*m)) map = *std::move(matrix);
  }
  if (const auto* m = std::get_if<DenseMap>(&map)) {
    const auto nonzero = m->weights.size() - At(std::count(m->weights.begin(), m->weights.end(), 0.0));
    // Small matrices stay dense: a matrix product of that size costs less than deciding anything.
    constexpr size_t kSmall = 1024;
    if (m->weights.size() < kSmall || kSparseEntryWork * static_cast<double>(nonzero) >= Work(map))
      return map;
    map = ToSparse(map);
  }
  if (const auto* m = AsSparse(map)) {
    if (auto scale = DiagonalOf(*m)) map = ScaleMap{*std::move(scale)};
  }
  if (const auto* m = AsScale(map)) {
    const bool ones = std::all_of(m->scale.begin(), m->scale.end(), [](double s) { return s == 1; });
    if (ones) map = IdentityMap{static_cast<int64_t>(m->scale.size())};
  }
  return map;
}

bool IsZero(const LinearMap& map) {
  const auto zeros = [](const std::vector<double>& v) {
    return std::all_of(v.begin(), v.end(), [](double x) { return x == 0; });
  };
  if (const auto* m = AsScale(map)) return zeros(m->scale);
  if (const auto* m = std::get_if<DenseMap>(&map)) return zeros(m->weights);
  if (const auto* m = AsConv(map)) return zeros(m->kernel);
  if (const auto* m = AsSparse(map)) return zeros(m->value);
  return std::get<IdentityMap>(map).size == 0;
}

std::optional<std::vector<double>> ElementwiseScale(const LinearMap& map) {
  if (const auto* m = std::get_if<IdentityMap>(&map)) return std::vector<double>(At(m->size), 1.0);
  if (const auto* m = AsScale(map)) return m->scale;
  return std::nullopt;
}

std::optional<std::vector<int64_t>> AsPermutation(const LinearMap& map) {
  const auto* m = AsSparse(map);
  if (!m || m->rows != m->cols || static_cast<int64_t>(m->value.size()) != m->rows) return std::nullopt;
  std::vector<int64_t> source;
  std::vector<bool> seen(At(m->cols), false);
  for (int64_t r = 0; r < m->rows; ++r) {
    if (m->row_begin[At(r)] != r || m->value[At(r)] != 1 || seen[At(m->column[At(r)])]) return std::nullopt;
    seen[At(m->column[At(r)])] = true;
    source.push_back(m->column[At(r)]);
  }
  return source;
}

void AbsApplyTransposed(const LinearMap& map, const std::vector<double>& y, std::vector<double>& x) {
  ApplyTransposed(Absolute(map), y.data(), x.data());
}

}  // namespace espalier::ir
