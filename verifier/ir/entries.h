// Visits the coefficients of a LinearMap without turning it into another form.
//
//   ForEachEntry(map, [&](double coefficient, int64_t row, int64_t column) { y[row] += coefficient *
//   x[column]; });
//
// A matrix entry comes once; zero coefficients of dense maps and kernels come as well.
#pragma once

#include <cstdint>

#include "verifier/ir/linear_map.h"

namespace espalier::ir {
namespace internal {

// Calls visit(small_pixel, big_pixel, tap) for every tap inside the big image; tap numbers the kernel's
// pixels.
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

template <class Visit>
void ForEachIn(const IdentityMap& m, Visit visit) {
  for (int64_t i = 0; i < m.size; ++i) visit(1.0, i, i);
}

template <class Visit>
void ForEachIn(const ScaleMap& m, Visit visit) {
  for (size_t i = 0; i < m.scale.size(); ++i)
    visit(m.scale[i], static_cast<int64_t>(i), static_cast<int64_t>(i));
}

template <class Visit>
void ForEachIn(const DenseMap& m, Visit visit) {
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) visit(m.weights[static_cast<size_t>(r * m.cols + c)], r, c);
  }
}

template <class Visit>
void ForEachIn(const ConvMap& m, Visit visit) {
  const int64_t taps = m.kernel_h * m.kernel_w * m.big_c;
  ForEachTap(m, [&](int64_t small_pixel, int64_t big_pixel, int64_t tap) {
    for (int64_t o = 0; o < m.small_c; ++o) {
      const double* kernel = m.kernel.data() + o * taps + tap * m.big_c;
      const int64_t small = small_pixel * m.small_c + o;
      for (int64_t c = 0; c < m.big_c; ++c) {
        const int64_t big = big_pixel * m.big_c + c;
        m.transposed ? visit(kernel[c], big, small) : visit(kernel[c], small, big);
      }
    }
  });
}

template <class Visit>
void ForEachIn(const SparseMap& m, Visit visit) {
  for (int64_t r = 0; r < m.rows; ++r) {
    const int64_t end = m.row_begin[static_cast<size_t>(r) + 1];
    for (int64_t k = m.row_begin[static_cast<size_t>(r)]; k < end; ++k) {
      visit(m.value[static_cast<size_t>(k)], r, m.column[static_cast<size_t>(k)]);
    }
  }
}

}  // namespace internal

template <class Visit>
void ForEachEntry(const LinearMap& map, Visit visit) {
  std::visit([&](const auto& m) { internal::ForEachIn(m, visit); }, map);
}

}  // namespace espalier::ir
