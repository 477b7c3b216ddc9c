// Errors of the CUDA runtime and of cuBLAS as Status.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace espalier::cuda_kernels {

// RESOURCE_EXHAUSTED for memory, UNAVAILABLE where there is no usable card, else INTERNAL. `doing` names the
// call.
inline absl::Status ToStatus(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string text = absl::StrCat("cuda: ", doing, ": ", cudaGetErrorString(error));
  switch (error) {
    case cudaErrorMemoryAllocation:
      return absl::ResourceExhaustedError(text);
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
      return absl::UnavailableError(text);
    default:
      return absl::InternalError(text);
  }
}

inline absl::Status ToStatus(cublasStatus_t error, const char* doing) {
  if (error == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  const std::string text = absl::StrCat("cublas: ", doing, ": status ", static_cast<int>(error));
  return error == CUBLAS_STATUS_ALLOC_FAILED ? absl::ResourceExhaustedError(text) : absl::InternalError(text);
}

}  // namespace espalier::cuda_kernels
