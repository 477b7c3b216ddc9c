// cuBLAS, loaded when the first backend on a card is made: linked, its half a gigabyte would be mapped by
// every program that contains the engine, and none would start where it is not installed.
#pragma once

#include <cublas_v2.h>

#include "absl/status/statusor.h"

namespace espalier::cuda_kernels {

struct CublasLibrary {
  decltype(&cublasCreate) create = nullptr;
  decltype(&cublasDestroy) destroy = nullptr;
  decltype(&cublasSetStream) set_stream = nullptr;
  decltype(&cublasSetMathMode) set_math_mode = nullptr;
  decltype(&cublasSgemm) sgemm = nullptr;
  decltype(&cublasDgemm) dgemm = nullptr;
};

// Lives as long as the process. UNAVAILABLE with the loader's own words.
absl::StatusOr<const CublasLibrary*> LoadCublas();

}  // namespace espalier::cuda_kernels
