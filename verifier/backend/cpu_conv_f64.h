// float64 convolutions for certification: matrix products by OpenBLAS around gathering and scattering of
// patches. Rows run in parallel.
#pragma once

#include <cstdint>

#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// `kernel` is [small_c][kernel_h * kernel_w * big_c]. Both overwrite the target unless `accumulate`.
void ConvBigToSmallF64(const ir::ConvMap& geometry, const double* kernel, int64_t rows, const double* big,
                       bool accumulate, double* small_out);
void ConvSmallToBigF64(const ir::ConvMap& geometry, const double* kernel, int64_t rows, const double* small,
                       bool accumulate, double* big_out);

}  // namespace espalier::backend
