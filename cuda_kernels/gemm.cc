#include "cuda_kernels/gemm.h"

#include <climits>

#include "absl/strings/str_cat.h"

namespace espalier::cuda_kernels {
namespace {

constexpr double kSliceFlops = 5e10;
constexpr int64_t kMostRows = int64_t{1} << 24;

// Column-major arguments in cuBLAS's order.
struct Columns {
  cublasOperation_t op_a, op_b;
  int m, n, k, lda, ldb, ldc;
};

cublasStatus_t Multiply(const CudaState& state, const Columns& s, const float* a, const float* b, float beta,
                        float* c) {
  const float one = 1;
  return state.library().sgemm(state.blas(), s.op_a, s.op_b, s.m, s.n, s.k, &one, a, s.lda, b, s.ldb, &beta,
                               c, s.ldc);
}
cublasStatus_t Multiply(const CudaState& state, const Columns& s, const double* a, const double* b,
                        double beta, double* c) {
  const double one = 1;
  return state.library().dgemm(state.blas(), s.op_a, s.op_b, s.m, s.n, s.k, &one, a, s.lda, b, s.ldb, &beta,
                               c, s.ldc);
}

}  // namespace

template <class T>
void Gemm(CudaState& state, const GemmShape& s, const T* a, const T* b, T* c) {
  if (s.m <= 0 || s.n <= 0) return;
  if (s.m > INT_MAX || s.n > INT_MAX || s.k > INT_MAX) {
    state.Note(absl::InvalidArgumentError(absl::StrCat("a product of ", s.m, " x ", s.n, " x ", s.k)));
    return;
  }
  const auto m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
  // Row-major C = A B is column-major C^T = B^T A^T, and a row-major matrix is its own column-major
  // transpose.
  const Columns columns{s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                        s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                        n,
                        m,
                        k,
                        s.transpose_b ? k : n,
                        s.transpose_a ? m : k,
                        n};
  state.Note(Multiply(state, columns, b, a, s.accumulate ? T(1) : T(0), c), "multiplying");
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  state.Spend(flops);
}

template void Gemm(CudaState&, const GemmShape&, const float*, const float*, float*);
template void Gemm(CudaState&, const GemmShape&, const double*, const double*, double*);

int64_t RowsOfSlice(double flops_per_row) {
  int64_t rows = 64;
  while (rows < kMostRows && 2.0 * static_cast<double>(rows) * flops_per_row <= kSliceFlops) rows *= 2;
  return rows;
}

}  // namespace espalier::cuda_kernels
