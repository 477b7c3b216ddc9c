#include "verifier/ir/linear_map.h"

#include <cassert>
#include <cmath>
#include <type_traits>

#include "verifier/ir/entries.h"

namespace espalier::ir {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

int64_t BigSize(const ConvMap& m) {
  return m.big_h * m.big_w * m.big_c;
}
int64_t SmallSize(const ConvMap& m) {
  return m.small_h * m.small_w * m.small_c;
}

// y += M x with each coefficient passed through `value` first; transposed when `adjoint`.
template <class Value>
void Multiply(const LinearMap& map, bool adjoint, const double* in, double* out, Value value) {
  ForEachEntry(map, [&](double coefficient, int64_t row, int64_t col) {
    if (adjoint) {
      out[col] += value(coefficient) * in[row];
    } else {
      out[row] += value(coefficient) * in[col];
    }
  });
}

}  // namespace

int64_t InputSize(const LinearMap& map) {
  return std::visit(Overloaded{
                        [](const IdentityMap& m) { return m.size; },
                        [](const ScaleMap& m) { return static_cast<int64_t>(m.scale.size()); },
                        [](const DenseMap& m) { return m.cols; },
                        [](const ConvMap& m) { return m.transposed ? SmallSize(m) : BigSize(m); },
                        [](const SparseMap& m) { return m.cols; },
                    },
                    map);
}

int64_t OutputSize(const LinearMap& map) {
  return std::visit(Overloaded{
                        [](const IdentityMap& m) { return m.size; },
                        [](const ScaleMap& m) { return static_cast<int64_t>(m.scale.size()); },
                        [](const DenseMap& m) { return m.rows; },
                        [](const ConvMap& m) { return m.transposed ? BigSize(m) : SmallSize(m); },
                        [](const SparseMap& m) { return m.rows; },
                    },
                    map);
}

void Apply(const LinearMap& map, const double* x, double* y) {
  Multiply(map, false, x, y, [](double v) { return v; });
}

void ApplyTransposed(const LinearMap& map, const double* y, double* x) {
  Multiply(map, true, y, x, [](double v) { return v; });
}

std::vector<double> AbsApply(const LinearMap& map, const std::vector<double>& magnitude) {
  assert(static_cast<int64_t>(magnitude.size()) == InputSize(map));
  std::vector<double> out(static_cast<size_t>(OutputSize(map)), 0.0);
  Multiply(map, false, magnitude.data(), out.data(), [](double v) { return std::fabs(v); });
  return out;
}

}  // namespace espalier::ir
