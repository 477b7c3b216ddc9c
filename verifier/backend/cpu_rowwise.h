// Single-row kernels of the CPU backend, one table per element type and instruction set. Rows are
// independent; the caller runs them in parallel. See backend.h for what each computes.
#pragma once

#include <cstdint>

namespace espalier::backend {

template <class T>
struct RowLines {  // one row's view of LayerLines (per-domain arrays already offset)
  int64_t neurons, unstable;
  const int32_t* index;
  const T *stable_slope, *intercept, *convex, *chord_slope, *chord_intercept, *free_lo, *free_hi, *free_start;
};

template <class T>
struct RowAdam {
  T *alpha, *first, *second;
  T rate, correction1, correction2;  // rate; 1 / (1 - beta1^t); 1 / (1 - beta2^t)
};

template <class T>
struct RowwiseTable {
  double (*dot)(int64_t n, const T* a, const T* b);
  double (*abs_dot)(int64_t n, const T* a, const T* b);
  void (*add)(int64_t n, const T* in, T* out);
  void (*multiply)(int64_t n, const T* in, T* out);
  void (*relax)(int64_t n, const T* left, const T* right, const T* lower, const T* upper, T* const* lines);
  // Returns the sum of constants; *magnitude receives the sum of their absolute values.
  double (*apply_lines)(const RowLines<T>& layer, const T* alpha, T* lambda, T* saved, double* magnitude);
  double (*concretise)(int64_t n, const T* lambda, const T* lower, const T* upper, T* corner,
                       double* magnitude);
  void (*step)(const RowLines<T>& layer, const T* saved, const RowAdam<T>& adam, T* z);
  void (*score)(const RowLines<T>& layer, const T* saved, T* score);
  void (*hinge)(int64_t n, const T* left, const T* right, const T* intercept, T* z, T* slope);
};

// Best table for this processor; `name` (may be null) receives "avx512", "avx2" or "baseline".
template <class T>
const RowwiseTable<T>& BestRowwiseTable(const char** name = nullptr);

}  // namespace espalier::backend
