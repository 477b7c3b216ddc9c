// float32 GEMM and convolutions by oneDNN, channels-last, strict floating-point mode, primitives cached by
// batch size.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// C[m][n] = A[m][k] B[k][n] (+ C), row-major; transpose_a reads A as [k][m], transpose_b B as [n][k].
struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
  bool transpose_b = false;
  bool accumulate = false;
  bool transpose_a = false;
  int64_t lda = 0, ldb = 0, ldc = 0;  // distance of the operands' rows; 0: no gap between them
};
void SgemmRowMajor(const GemmShape& shape, const float* a, const float* b, float* c);

// The first product of a process makes the code of all of them, which takes some 25 to 60 ms. This is such a
// product, of nothing in particular; others that begin meanwhile wait for it. Thread-safe.
void PrepareSgemm();

// One convolution in both directions between `big` and `small` images (see ir::ConvMap). Batches of any size
// are cut into powers of two, so that at most a handful of primitives per map is ever created. Towards big
// images of few channels, patches take oneDNN's place. Several threads take turns.
class OneDnnConvolution {
 public:
  // Kernel coefficients rounded to float32 by the first product; |.| of them when `absolute`.
  OneDnnConvolution(std::shared_ptr<const ir::ConvMap> map, bool absolute);
  ~OneDnnConvolution();

  // Overwrites the target. INTERNAL when oneDNN refuses.
  absl::Status BigToSmall(int64_t rows, const float* big, float* small_out);
  absl::Status SmallToBig(int64_t rows, const float* small, float* big_out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace espalier::backend
