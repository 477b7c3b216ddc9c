// Row-major matrix products by cuBLAS in pedantic arithmetic.
#pragma once

#include <cstdint>

#include "cuda_kernels/state.h"

namespace espalier::cuda_kernels {

// C[m][n] (+)= op(A) op(B), all row-major without gaps: A is [m][k], or [k][m] when transposed; B is [k][n],
// or [n][k].
struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false, accumulate = false;
};

// T: float or double. Queues one product; m, n and k fit an int (INVALID_ARGUMENT is noted otherwise).
template <class T>
void Gemm(CudaState& state, const GemmShape& shape, const T* a, const T* b, T* c);

// Rows of a product that keep the card busy for a few milliseconds: between two slices a stop is noticed.
int64_t RowsOfSlice(double flops_per_row);

}  // namespace espalier::cuda_kernels
