#include <cblas.h>

#include <algorithm>
#include <random>
#include <vector>

#include "cublas_v2.h"
#include "device.h"
#include "summation.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
};

namespace {

template <class T>
struct Scalars {
  const T *alpha, *beta;
};

struct Product {
  cublasOperation_t op_a, op_b;
  int m, n, k, lda, ldb, ldc;
};

// Numbers between the first of a column-major matrix and the one behind its last.
size_t Span(int rows, int columns, int ld) {
  if (rows == 0 || columns == 0) return 0;
  return static_cast<size_t>(columns - 1) * static_cast<size_t>(ld) + static_cast<size_t>(rows);
}

CBLAS_TRANSPOSE Transposed(cublasOperation_t op) {
  return op == CUBLAS_OP_T ? CblasTrans : CblasNoTrans;
}

void Multiply(const Product& p, float alpha, const float* a, const float* b, float beta, float* c) {
  cblas_sgemm(CblasColMajor, Transposed(p.op_a), Transposed(p.op_b), p.m, p.n, p.k, alpha, a, p.lda, b, p.ldb,
              beta, c, p.ldc);
}
void Multiply(const Product& p, double alpha, const double* a, const double* b, double beta, double* c) {
  cblas_dgemm(CblasColMajor, Transposed(p.op_a), Transposed(p.op_b), p.m, p.n, p.k, alpha, a, p.lda, b, p.ldb,
              beta, c, p.ldc);
}

// TF32 keeps ten bits of the mantissa.
float Factor(const cuda_on_host::Products& how, float value) {
  if (!how.tf32) return value;
  return __builtin_bit_cast(float, (__builtin_bit_cast(uint32_t, value) + 0x1000u) & 0xffffe000u);
}
double Factor(const cuda_on_host::Products&, double value) {
  return value;
}

template <class T>
struct Operands {
  T alpha;
  const T *a, *b;
  T beta;
  T* c;
};

// Each number of the result as a sum in the given order. The accumulated value is one of the terms, as it is
// where a library starts from it.
template <class T>
void MultiplyInOrder(const cuda_on_host::Products& how, const Product& p, const Operands<T>& x) {
  std::mt19937_64 random(static_cast<uint64_t>(p.m) * 31 + static_cast<uint64_t>(p.k));
  const auto at = [](cublasOperation_t op, int row, int column, int ld) {
    return op == CUBLAS_OP_N ? int64_t{column} * ld + row : int64_t{row} * ld + column;
  };
  std::vector<T> terms;
  for (int j = 0; j < p.n; ++j) {
    for (int i = 0; i < p.m; ++i) {
      T& result = x.c[int64_t{j} * p.ldc + i];
      terms.clear();
      if (x.beta != T(0)) terms.push_back(x.beta * result);
      for (int l = 0; l < p.k; ++l) {
        terms.push_back(x.alpha * Factor(how, x.a[at(p.op_a, i, l, p.lda)]) *
                        Factor(how, x.b[at(p.op_b, l, j, p.ldb)]));
      }
      result = cuda_on_host::SumInOrder(how.order, terms, random);
    }
  }
}

// cuBLAS checks sizes and leading dimensions; that the matrices lie in buffers is checked here alone, and
// that no product may use reduced precision.
template <class T>
cublasStatus_t Gemm(cublasHandle_t handle, const Product& p, const Scalars<T>& scalars, const T* a,
                    const T* b, T* c) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const int rows_a = p.op_a == CUBLAS_OP_N ? p.m : p.k, rows_b = p.op_b == CUBLAS_OP_N ? p.k : p.n;
  const int columns_a = p.op_a == CUBLAS_OP_N ? p.k : p.m, columns_b = p.op_b == CUBLAS_OP_N ? p.n : p.k;
  if (p.m < 0 || p.n < 0 || p.k < 0 || p.lda < std::max(1, rows_a) || p.ldb < std::max(1, rows_b) ||
      p.ldc < std::max(1, p.m) || scalars.alpha == nullptr || scalars.beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (handle->math != CUBLAS_PEDANTIC_MATH)
    cuda_on_host::Abort("a product in arithmetic that is not pedantic");
  const std::lock_guard<std::recursive_mutex> lock(cuda_on_host::DeviceLock());
  if (!cuda_on_host::IsDeviceRange(a, Span(rows_a, columns_a, p.lda) * sizeof(T)) ||
      !cuda_on_host::IsDeviceRange(b, Span(rows_b, columns_b, p.ldb) * sizeof(T)) ||
      !cuda_on_host::IsDeviceRange(c, Span(p.m, p.n, p.ldc) * sizeof(T))) {
    cuda_on_host::Abort("a product's matrix does not lie in one buffer");
  }
  const T by = *scalars.alpha, plus = *scalars.beta;  // in the host pointer mode, scalars are read at once
  const cuda_on_host::Products how = cuda_on_host::HowToMultiply();
  const cudaError_t error = cuda_on_host::Enqueue(handle->stream, [how, p, by, plus, a, b, c] {
    if (how.order == cuda_on_host::Summation::kLibrary && !how.tf32) {
      Multiply(p, by, a, b, plus, c);
    } else {
      MultiplyInOrder(how, p, Operands<T>{by, a, b, plus, c});
    }
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                           int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
                           const float* beta, float* c, int ldc) {
  return Gemm(handle, Product{op_a, op_b, m, n, k, lda, ldb, ldc}, {alpha, beta}, a, b, c);
}
cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, int m,
                           int n, int k, const double* alpha, const double* a, int lda, const double* b,
                           int ldb, const double* beta, double* c, int ldc) {
  return Gemm(handle, Product{op_a, op_b, m, n, k, lda, ldb, ldc}, {alpha, beta}, a, b, c);
}
