// Convolutions as matrix products around the gathering and scattering of patches. A patch is what one pixel
// of the small image sees of the big one, [kernel_h][kernel_w][big_c]; the patches of an image are [small
// pixels][patch]. Batches are cut into slices whose patches fit the backend's workspace.
#pragma once

#include <algorithm>
#include <limits>

#include "cuda_kernels/gemm.h"
#include "cuda_kernels/launch.cuh"
#include "verifier/ir/linear_map.h"

namespace espalier::cuda_kernels {

struct ConvGeometry {
  int big_h, big_w, big_c, small_h, small_w, small_c, kernel_h, kernel_w;
  int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;

  __host__ __device__ int64_t pixels() const { return int64_t{small_h} * small_w; }
  __host__ __device__ int64_t patch() const { return int64_t{kernel_h} * kernel_w * big_c; }
  __host__ __device__ int64_t big() const { return int64_t{big_h} * big_w * big_c; }
  __host__ __device__ int64_t small() const { return pixels() * small_c; }
  // Patches are the big image itself.
  bool pointwise() const {
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 &&
           pad_left == 0 && big_h == small_h && big_w == small_w;
  }
};

// One number of the big image, by its pixel and channel.
struct BigPlace {
  int h, w, c;
  __device__ BigPlace(const ConvGeometry& g, int64_t element) {
    const int at = static_cast<int>(element);
    c = at % g.big_c;
    w = at / g.big_c % g.big_w;
    h = at / g.big_c / g.big_w;
  }
};

// Row of the small image that sees row h of the big one through tap i; -1: none. Columns alike.
__device__ inline int SmallRow(const ConvGeometry& g, int h, int i) {
  const int shifted = h + g.pad_top - i * g.dilation_h;
  if (shifted < 0 || shifted % g.stride_h != 0) return -1;
  const int p = shifted / g.stride_h;
  return p < g.small_h ? p : -1;
}
__device__ inline int SmallColumn(const ConvGeometry& g, int w, int j) {
  const int shifted = w + g.pad_left - j * g.dilation_w;
  if (shifted < 0 || shifted % g.stride_w != 0) return -1;
  const int q = shifted / g.stride_w;
  return q < g.small_w ? q : -1;
}

// patches[image and pixel][tap, channel] = big[image][where the tap looks]; zero outside the image.
template <class T>
struct GatherPatchesBody {
  ConvGeometry g;
  const T* big;
  T* patches;
  __device__ void operator()(int64_t patch, int64_t e) const {
    const int64_t image = patch / g.pixels();
    const int pixel = static_cast<int>(patch - image * g.pixels());
    const int element = static_cast<int>(e);
    const int c = element % g.big_c, tap = element / g.big_c;
    const int h = pixel / g.small_w * g.stride_h - g.pad_top + tap / g.kernel_w * g.dilation_h;
    const int w = pixel % g.small_w * g.stride_w - g.pad_left + tap % g.kernel_w * g.dilation_w;
    const bool inside = h >= 0 && h < g.big_h && w >= 0 && w < g.big_w;
    const int64_t at = image * g.big() + (int64_t{h} * g.big_w + w) * g.big_c + c;
    patches[patch * g.patch() + e] = inside ? big[at] : T(0);
  }
};

// big[image][element] (+)= sum over the patches that hold the element, in the order of the taps.
template <class T>
struct ScatterPatchesBody {
  ConvGeometry g;
  const T* patches;
  T* big;
  bool accumulate;
  __device__ void operator()(int64_t image, int64_t element) const {
    const BigPlace at(g, element);
    const int64_t target = image * g.big() + element;
    T sum = accumulate ? big[target] : T(0);
    for (int i = 0; i < g.kernel_h; ++i) {
      const int p = SmallRow(g, at.h, i);
      if (p < 0) continue;
      for (int j = 0; j < g.kernel_w; ++j) {
        const int q = SmallColumn(g, at.w, j);
        if (q < 0) continue;
        const int64_t patch = image * g.pixels() + int64_t{p} * g.small_w + q;
        sum += patches[patch * g.patch() + (int64_t{i} * g.kernel_w + j) * g.big_c + at.c];
      }
    }
    big[target] = sum;
  }
};

inline ConvGeometry GeometryOf(const ir::ConvMap& m) {
  const auto narrow = [](int64_t v) { return static_cast<int>(v); };
  return {narrow(m.big_h),      narrow(m.big_w),     narrow(m.big_c),    narrow(m.small_h),
          narrow(m.small_w),    narrow(m.small_c),   narrow(m.kernel_h), narrow(m.kernel_w),
          narrow(m.stride_h),   narrow(m.stride_w),  narrow(m.pad_top),  narrow(m.pad_left),
          narrow(m.dilation_h), narrow(m.dilation_w)};
}

// INVALID_ARGUMENT when one image or its patches have more numbers than an int counts.
inline absl::Status CheckSizes(const ir::ConvMap& m) {
  const double image =
      static_cast<double>(m.big_h) * static_cast<double>(m.big_w) * static_cast<double>(m.big_c);
  const double patches = static_cast<double>(m.small_h) * static_cast<double>(m.small_w) *
                         static_cast<double>(m.kernel_h) * static_cast<double>(m.kernel_w) *
                         static_cast<double>(std::max(m.big_c, m.small_c));
  if (image < 2e9 && patches < 2e9) return absl::OkStatus();
  return absl::InvalidArgumentError("cuda: an image of a convolution is too large");
}

// The products of one convolution at one kernel (or its gradient).
template <class T>
class ConvProducts {
 public:
  ConvProducts(CudaState& state, const ConvGeometry& geometry) : state_(state), g_(geometry) {}

  // small[rows] (+)= conv(big[rows]);  big[rows] (+)= its adjoint of small[rows].
  void BigToSmall(int64_t rows, const T* big, const T* kernel, T* small, bool accumulate) const {
    InSlices(rows, [&](int64_t begin, int64_t count) {
      const T* const patches = Patches(count, big + begin * g_.big());
      const GemmShape shape{count * g_.pixels(), g_.small_c, g_.patch(), false, true, accumulate};
      Gemm(state_, shape, patches, kernel, small + begin * g_.small());
    });
  }
  void SmallToBig(int64_t rows, const T* small, const T* kernel, T* big, bool accumulate) const {
    InSlices(rows, [&](int64_t begin, int64_t count) {
      T* const image = big + begin * g_.big();
      GemmShape shape{count * g_.pixels(), g_.patch(), g_.small_c, false, false, false};
      if (g_.pointwise()) {
        shape.accumulate = accumulate;
        Gemm(state_, shape, small + begin * g_.small(), kernel, image);
        return;
      }
      Gemm(state_, shape, small + begin * g_.small(), kernel, workspace());
      ForGrid(state_, {count, g_.big()}, ScatterPatchesBody<T>{g_, workspace(), image, accumulate});
    });
  }
  // gradient[small_c][patch] = sum over images and pixels of small times patch.
  void KernelGradient(int64_t rows, const T* big, const T* small, T* gradient) const {
    InSlices(rows, [&](int64_t begin, int64_t count) {
      const T* const patches = Patches(count, big + begin * g_.big());
      const GemmShape shape{g_.small_c, g_.patch(), count * g_.pixels(), true, false, begin > 0};
      Gemm(state_, shape, small + begin * g_.small(), patches, gradient);
    });
  }

 private:
  T* workspace() const { return static_cast<T*>(state_.workspace()); }

  const T* Patches(int64_t count, const T* big) const {
    if (g_.pointwise()) return big;
    ForGrid(state_, {count * g_.pixels(), g_.patch()}, GatherPatchesBody<T>{g_, big, workspace()});
    return workspace();
  }

  template <class Body>
  void InSlices(int64_t rows, Body body) const {
    const double numbers = static_cast<double>(g_.pixels()) * static_cast<double>(g_.patch());
    const int64_t fit =
        state_.workspace_bytes() / (g_.pixels() * g_.patch() * static_cast<int64_t>(sizeof(T)));
    const int64_t countable = std::numeric_limits<int>::max() / std::max<int64_t>(1, g_.pixels());
    const int64_t slice =
        std::max<int64_t>(1, std::min({fit, countable, RowsOfSlice(2.0 * numbers * g_.small_c)}));
    for (int64_t begin = 0; begin < rows && state_.Going(); begin += slice) {
      body(begin, std::min(slice, rows - begin));
    }
  }

  CudaState& state_;
  ConvGeometry g_;
};

// Room for one image's patches in float64, so that every product can run.
inline absl::Status ReserveFor(CudaState& state, const ConvGeometry& g) {
  return state.ReserveWorkspace(g.pixels() * g.patch() * static_cast<int64_t>(sizeof(double)));
}

}  // namespace espalier::cuda_kernels
