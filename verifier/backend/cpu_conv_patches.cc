#include "verifier/backend/cpu_conv_patches.h"

#include <cblas.h>

#include <algorithm>
#include <memory>

namespace espalier::backend {
namespace {

// C[m][n] = A B or A B^T, plus C when `accumulate`. All row-major without gaps.
struct Product {
  int64_t m, n, k;
  CBLAS_TRANSPOSE transpose_b;
  bool accumulate;
};
void Multiply(const Product& p, const double* a, const double* b, double* c) {
  const auto m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, p.transpose_b, m, n, k, 1.0, a, k, b,
              p.transpose_b == CblasTrans ? k : n, p.accumulate ? 1.0 : 0.0, c, n);
}
void Multiply(const Product& p, const float* a, const float* b, float* c) {
  const auto m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, p.transpose_b, m, n, k, 1.0f, a, k, b,
              p.transpose_b == CblasTrans ? k : n, p.accumulate ? 1.0f : 0.0f, c, n);
}

// The patches of one image, [small pixels][kernel_h * kernel_w * big_c]; one such buffer per thread.
template <class T>
class Patches {
 public:
  explicit Patches(const ir::ConvMap& g)
      : g_(g),
        pixels_(g.small_h * g.small_w),
        size_(g.kernel_h * g.kernel_w * g.big_c),
        values_(std::make_unique_for_overwrite<T[]>(static_cast<size_t>(pixels_ * size_))) {}

  T* data() { return values_.get(); }
  int64_t pixels() const { return pixels_; }
  int64_t size() const { return size_; }
  int64_t image() const { return g_.big_h * g_.big_w * g_.big_c; }

  void Gather(const T* image) {
    std::fill_n(data(), pixels_ * size_, T(0));
    ForRuns([&](T* patch, int64_t at, int64_t count) { std::copy_n(image + at, count, patch); });
  }
  void ScatterTo(T* image) {
    ForRuns([&](T* patch, int64_t at, int64_t count) {
      for (int64_t c = 0; c < count; ++c) image[at + c] += patch[c];
    });
  }

 private:
  // body(patch element, image element, count) for every run of neighbouring numbers that the image and a
  // patch share: a kernel's row, or one of its pixels when the kernel is dilated.
  template <class Body>
  void ForRuns(Body body) {
    const int64_t taps = g_.dilation_w == 1 ? g_.kernel_w : 1;  // kernel pixels in a run
    for (int64_t pixel = 0; pixel < pixels_; ++pixel) {
      const int64_t top = pixel / g_.small_w * g_.stride_h - g_.pad_top;
      const int64_t left = pixel % g_.small_w * g_.stride_w - g_.pad_left;
      for (int64_t i = 0; i < g_.kernel_h; ++i) {
        const int64_t h = top + i * g_.dilation_h;
        if (h < 0 || h >= g_.big_h) continue;
        for (int64_t j = 0; j < g_.kernel_w; j += taps) {
          const int64_t w = left + j * g_.dilation_w;
          const int64_t first = std::max<int64_t>(0, -w), last = std::min(taps, g_.big_w - w);
          if (first >= last) continue;
          T* patch = data() + pixel * size_ + (i * g_.kernel_w + j + first) * g_.big_c;
          body(patch, (h * g_.big_w + w + first) * g_.big_c, (last - first) * g_.big_c);
        }
      }
    }
  }

  const ir::ConvMap& g_;
  int64_t pixels_, size_;
  std::unique_ptr<T[]> values_;
};

// body(patches, row) in parallel.
template <class T, class Body>
void ForImages(const ir::ConvMap& g, int64_t rows, Body body) {
#pragma omp parallel
  {
    Patches<T> patches(g);
#pragma omp for schedule(static)
    for (int64_t r = 0; r < rows; ++r) body(patches, r);
  }
}

}  // namespace

template <class T>
void ConvBigToSmall(const ir::ConvMap& g, const T* kernel, int64_t rows, const T* big, bool accumulate,
                    T* small_out) {
  ForImages<T>(g, rows, [&](Patches<T>& p, int64_t r) {
    p.Gather(big + r * p.image());
    Multiply({p.pixels(), g.small_c, p.size(), CblasTrans, accumulate}, p.data(), kernel,
             small_out + r * p.pixels() * g.small_c);
  });
}

template <class T>
void ConvSmallToBig(const ir::ConvMap& g, const T* kernel, int64_t rows, const T* small, bool accumulate,
                    T* big_out) {
  ForImages<T>(g, rows, [&](Patches<T>& p, int64_t r) {
    Multiply({p.pixels(), p.size(), g.small_c, CblasNoTrans, false}, small + r * p.pixels() * g.small_c,
             kernel, p.data());
    if (!accumulate) std::fill_n(big_out + r * p.image(), p.image(), T(0));
    p.ScatterTo(big_out + r * p.image());
  });
}

template void ConvBigToSmall(const ir::ConvMap&, const float*, int64_t, const float*, bool, float*);
template void ConvBigToSmall(const ir::ConvMap&, const double*, int64_t, const double*, bool, double*);
template void ConvSmallToBig(const ir::ConvMap&, const float*, int64_t, const float*, bool, float*);
template void ConvSmallToBig(const ir::ConvMap&, const double*, int64_t, const double*, bool, double*);

bool PatchesAreFaster(const ir::ConvMap& geometry) {
  return geometry.big_c < 8;
}

}  // namespace espalier::backend
