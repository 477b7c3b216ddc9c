#include "verifier/ir/compose.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "verifier/ir/conv_compose.h"
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

DenseMap ScaleRows(DenseMap m, const std::vector<double>& scale) {
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) m.weights[At(r * m.cols + c)] *= scale[At(r)];
  }
  return m;
}

DenseMap ScaleColumns(DenseMap m, const std::vector<double>& scale) {
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) m.weights[At(r * m.cols + c)] *= scale[At(c)];
  }
  return m;
}

// Row r of the product is inner^T applied to row r of outer.
DenseMap DenseTimes(const DenseMap& outer, const LinearMap& inner) {
  DenseMap out{outer.rows, InputSize(inner), {}};
  out.weights.assign(At(out.rows * out.cols), 0.0);
  for (int64_t r = 0; r < out.rows; ++r) {
    ApplyTransposed(inner, outer.weights.data() + r * outer.cols, out.weights.data() + r * out.cols);
  }
  return out;
}

// Dense times dense, in the order that streams rows of `inner`.
DenseMap DenseTimesDense(const DenseMap& outer, const DenseMap& inner) {
  DenseMap out{outer.rows, inner.cols, {}};
  out.weights.assign(At(out.rows * out.cols), 0.0);
  for (int64_t r = 0; r < out.rows; ++r) {
    double* row = out.weights.data() + r * out.cols;
    for (int64_t k = 0; k < inner.rows; ++k) {
      const double factor = outer.weights[At(r * outer.cols + k)];
      if (factor == 0) continue;
      const double* source = inner.weights.data() + k * inner.cols;
      for (int64_t c = 0; c < out.cols; ++c) row[c] += factor * source[c];
    }
  }
  return out;
}

// Column c of the product is outer applied to column c of inner.
DenseMap TimesDense(const LinearMap& outer, const DenseMap& inner) {
  DenseMap out{OutputSize(outer), inner.cols, {}};
  out.weights.resize(At(out.rows * out.cols));
  std::vector<double> column(At(inner.rows)), image(At(out.rows));
  for (int64_t c = 0; c < inner.cols; ++c) {
    for (int64_t r = 0; r < inner.rows; ++r) column[At(r)] = inner.weights[At(r * inner.cols + c)];
    std::fill(image.begin(), image.end(), 0.0);
    Apply(outer, column.data(), image.data());
    for (int64_t r = 0; r < out.rows; ++r) out.weights[At(r * out.cols + c)] = image[At(r)];
  }
  return out;
}

std::optional<LinearMap> ComposeScaleOuter(const ScaleMap& outer, const LinearMap& inner) {
  if (const auto* m = AsScale(inner)) {
    ScaleMap out = outer;
    for (size_t i = 0; i < out.scale.size(); ++i) out.scale[i] *= m->scale[i];
    return out;
  }
  if (const auto* m = std::get_if<DenseMap>(&inner)) return ScaleRows(*m, outer.scale);
  if (const auto* m = AsSparse(inner)) return ScaleRows(*m, outer.scale);
  if (const auto* m = AsConv(inner)) return ScaleOutputChannels(*m, outer.scale);
  return std::nullopt;
}

std::optional<LinearMap> ComposeScaleInner(const LinearMap& outer, const ScaleMap& inner) {
  if (const auto* m = std::get_if<DenseMap>(&outer)) return ScaleColumns(*m, inner.scale);
  if (const auto* m = AsSparse(outer)) return ScaleColumns(*m, inner.scale);
  if (const auto* m = AsConv(outer)) return ScaleInputChannels(*m, inner.scale);
  return std::nullopt;
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

std::optional<LinearMap> Compose(const LinearMap& outer, const LinearMap& inner) {
  assert(InputSize(outer) == OutputSize(inner));
  if (IsIdentity(outer)) return inner;
  if (IsIdentity(inner)) return outer;
  std::optional<LinearMap> out;
  if (const auto* m = AsScale(outer)) {
    out = ComposeScaleOuter(*m, inner);
  } else if (const auto* n = AsScale(inner)) {
    out = ComposeScaleInner(outer, *n);
  } else if (IsDense(outer) && IsDense(inner)) {
    out = DenseTimesDense(std::get<DenseMap>(outer), std::get<DenseMap>(inner));
  } else if (IsDense(outer)) {
    out = DenseTimes(std::get<DenseMap>(outer), inner);
  } else if (IsDense(inner)) {
    out = TimesDense(outer, std::get<DenseMap>(inner));
  } else if (AsSparse(outer) && AsSparse(inner)) {
    out = Product(*AsSparse(outer), *AsSparse(inner));
  } else if (AsConv(outer) && AsSparse(inner)) {
    out = AbsorbPadding(*AsConv(outer), *AsSparse(inner));
  }
  if (!out) return std::nullopt;
  return Simplify(*std::move(out));
}

std::optional<LinearMap> Sum(const LinearMap& a, const LinearMap& b) {
  if (AsConv(a) && AsConv(b)) return AddKernels(*AsConv(a), *AsConv(b));
  if (AsConv(a) || AsConv(b)) return std::nullopt;
  if (IsDense(a) || IsDense(b)) {
    DenseMap out = std::get<DenseMap>(IsDense(a) ? a : b);
    const SparseMap other = ToSparse(IsDense(a) ? b : a);
    for (int64_t r = 0; r < out.rows; ++r) {
      for (int64_t k = other.row_begin[At(r)]; k < other.row_begin[At(r) + 1]; ++k) {
        out.weights[At(r * out.cols + other.column[At(k)])] += other.value[At(k)];
      }
    }
    return Simplify(std::move(out));
  }
  const auto scale_a = ElementwiseScale(a), scale_b = ElementwiseScale(b);
  if (scale_a && scale_b) {
    ScaleMap out{*scale_a};
    for (size_t i = 0; i < out.scale.size(); ++i) out.scale[i] += (*scale_b)[i];
    return Simplify(std::move(out));
  }
  return Simplify(AddEntries(ToSparse(a), ToSparse(b)));
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
  LinearMap magnitude = map;
  std::vector<double>* values = nullptr;
  if (auto* scale = std::get_if<ScaleMap>(&magnitude)) values = &scale->scale;
  if (auto* dense = std::get_if<DenseMap>(&magnitude)) values = &dense->weights;
  if (auto* conv = std::get_if<ConvMap>(&magnitude)) values = &conv->kernel;
  if (auto* sparse = std::get_if<SparseMap>(&magnitude)) values = &sparse->value;
  if (values) {
    for (double& v : *values) v = std::fabs(v);
  }
  ApplyTransposed(magnitude, y.data(), x.data());
}

}  // namespace espalier::ir
