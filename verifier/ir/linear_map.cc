#include "verifier/ir/linear_map.h"

#include <cassert>
#include <cmath>
#include <type_traits>

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

// Calls visit(small_pixel, big_pixel, kernel_offset) for every tap inside the big image; kernel_offset is
// that of (i, j) within one output channel's kernel, in units of big_c.
template <class Visit>
void ForEachTap(const ConvMap& m, Visit visit) {
  for (int64_t p = 0; p < m.small_h; ++p) {
    for (int64_t q = 0; q < m.small_w; ++q) {
      for (int64_t i = 0; i < m.kernel_h; ++i) {
        const int64_t h = p * m.stride_h - m.pad_top + i * m.dilation_h;
        if (h < 0 || h >= m.big_h) continue;
        for (int64_t j = 0; j < m.kernel_w; ++j) {
          const int64_t w = q * m.stride_w - m.pad_left + j * m.dilation_w;
          if (w < 0 || w >= m.big_w) continue;
          visit(p * m.small_w + q, h * m.big_w + w, i * m.kernel_w + j);
        }
      }
    }
  }
}

// Combine(kernel element, big index, small index) over every product term of the convolution.
template <class Combine>
void ForEachProduct(const ConvMap& m, Combine combine) {
  const int64_t taps = m.kernel_h * m.kernel_w * m.big_c;
  ForEachTap(m, [&](int64_t small_pixel, int64_t big_pixel, int64_t tap) {
    for (int64_t o = 0; o < m.small_c; ++o) {
      const double* kernel = m.kernel.data() + o * taps + tap * m.big_c;
      for (int64_t c = 0; c < m.big_c; ++c) {
        combine(kernel[c], big_pixel * m.big_c + c, small_pixel * m.small_c + o);
      }
    }
  });
}

// y += M x with each coefficient passed through `value` first; transposed when `adjoint`.
template <class Value>
void Multiply(const LinearMap& map, bool adjoint, const double* in, double* out, Value value) {
  const auto term = [&](double coefficient, int64_t row, int64_t col) {
    if (adjoint) {
      out[col] += value(coefficient) * in[row];
    } else {
      out[row] += value(coefficient) * in[col];
    }
  };
  std::visit(Overloaded{
                 [&](const IdentityMap& m) {
                   for (int64_t i = 0; i < m.size; ++i) out[i] += in[i];
                 },
                 [&](const ScaleMap& m) {
                   for (size_t i = 0; i < m.scale.size(); ++i) out[i] += value(m.scale[i]) * in[i];
                 },
                 [&](const DenseMap& m) {
                   for (int64_t r = 0; r < m.rows; ++r) {
                     for (int64_t c = 0; c < m.cols; ++c)
                       term(m.weights[static_cast<size_t>(r * m.cols + c)], r, c);
                   }
                 },
                 [&](const ConvMap& m) {
                   ForEachProduct(m, [&](double k, int64_t big, int64_t small) {
                     m.transposed ? term(k, big, small) : term(k, small, big);
                   });
                 },
                 [&](const SparseMap& m) {
                   for (int64_t r = 0; r < m.rows; ++r) {
                     for (int64_t k = m.row_begin[static_cast<size_t>(r)];
                          k < m.row_begin[static_cast<size_t>(r) + 1]; ++k) {
                       term(m.value[static_cast<size_t>(k)], r, m.column[static_cast<size_t>(k)]);
                     }
                   }
                 },
             },
             map);
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
