// Convolutions as matrix products around the gathering and scattering of patches: in float64 for
// certification, in float32 where oneDNN has no fast kernel. Rows run in parallel.
#pragma once

#include <cstdint>

#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// T: float or double. `kernel` is [small_c][kernel_h * kernel_w * big_c]. Both overwrite the target unless
// `accumulate`.
template <class T>
void ConvBigToSmall(const ir::ConvMap& geometry, const T* kernel, int64_t rows, const T* big, bool accumulate,
                    T* small_out);
template <class T>
void ConvSmallToBig(const ir::ConvMap& geometry, const T* kernel, int64_t rows, const T* small,
                    bool accumulate, T* big_out);

// Whether patches beat oneDNN from the small image to the big one in float32: its kernels fill vectors with
// the big image's channels, and three leave most of a vector empty (measured: patches take 0.25 of its time
// at one channel, 0.4 at three, 0.75 at six, 0.95 at eight).
bool PatchesAreFaster(const ir::ConvMap& geometry);

}  // namespace espalier::backend
