#include "verifier/backend/cpu_conv_f64.h"

#include <cblas.h>

#include <algorithm>
#include <memory>

namespace espalier::backend {
namespace {

int64_t PatchSize(const ir::ConvMap& g) {
  return g.kernel_h * g.kernel_w * g.big_c;
}
int64_t SmallPixels(const ir::ConvMap& g) {
  return g.small_h * g.small_w;
}

// move(patch offset, big offset) for every tap of small pixel (p, q) that lies inside the big image;
// outside(patch offset) for the others. Offsets address big_c consecutive numbers.
template <class Move, class Outside>
void ForPatch(const ir::ConvMap& g, int64_t pixel, Move move, Outside outside) {
  const int64_t top = pixel / g.small_w * g.stride_h - g.pad_top;
  const int64_t left = pixel % g.small_w * g.stride_w - g.pad_left;
  for (int64_t i = 0; i < g.kernel_h; ++i) {
    const int64_t h = top + i * g.dilation_h;
    for (int64_t j = 0; j < g.kernel_w; ++j) {
      const int64_t w = left + j * g.dilation_w;
      const int64_t patch = (i * g.kernel_w + j) * g.big_c;
      if (h >= 0 && h < g.big_h && w >= 0 && w < g.big_w) {
        move(patch, (h * g.big_w + w) * g.big_c);
      } else {
        outside(patch);
      }
    }
  }
}

// One buffer of patches per thread, kept for the duration of a parallel region.
std::unique_ptr<double[]> PatchBuffer(const ir::ConvMap& g) {
  return std::make_unique_for_overwrite<double[]>(static_cast<size_t>(SmallPixels(g) * PatchSize(g)));
}

}  // namespace

void ConvBigToSmallF64(const ir::ConvMap& g, const double* kernel, int64_t rows, const double* big,
                       bool accumulate, double* small_out) {
  const int64_t big_size = g.big_h * g.big_w * g.big_c, small_size = SmallPixels(g) * g.small_c;
  const auto patch = static_cast<int>(PatchSize(g));
#pragma omp parallel
  {
    const std::unique_ptr<double[]> patches = PatchBuffer(g);
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      const double* image = big + r * big_size;
      for (int64_t pixel = 0; pixel < SmallPixels(g); ++pixel) {
        double* target = patches.get() + pixel * patch;
        ForPatch(
            g, pixel, [&](int64_t to, int64_t from) { std::copy_n(image + from, g.big_c, target + to); },
            [&](int64_t to) { std::fill_n(target + to, g.big_c, 0.0); });
      }
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(SmallPixels(g)),
                  static_cast<int>(g.small_c), patch, 1.0, patches.get(), patch, kernel, patch,
                  accumulate ? 1.0 : 0.0, small_out + r * small_size, static_cast<int>(g.small_c));
    }
  }
}

void ConvSmallToBigF64(const ir::ConvMap& g, const double* kernel, int64_t rows, const double* small,
                       bool accumulate, double* big_out) {
  const int64_t big_size = g.big_h * g.big_w * g.big_c, small_size = SmallPixels(g) * g.small_c;
  const auto patch = static_cast<int>(PatchSize(g));
#pragma omp parallel
  {
    const std::unique_ptr<double[]> patches = PatchBuffer(g);
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(SmallPixels(g)), patch,
                  static_cast<int>(g.small_c), 1.0, small + r * small_size, static_cast<int>(g.small_c),
                  kernel, patch, 0.0, patches.get(), patch);
      double* image = big_out + r * big_size;
      if (!accumulate) std::fill_n(image, big_size, 0.0);
      for (int64_t pixel = 0; pixel < SmallPixels(g); ++pixel) {
        const double* source = patches.get() + pixel * patch;
        ForPatch(
            g, pixel,
            [&](int64_t from, int64_t to) {
              for (int64_t c = 0; c < g.big_c; ++c) image[to + c] += source[from + c];
            },
            [](int64_t) {});
      }
    }
  }
}

}  // namespace espalier::backend
