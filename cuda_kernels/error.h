// Errors of the CUDA runtime and of cuBLAS as Status.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "verifier/base/device_lost.h"

namespace espalier::cuda_kernels {

// RESOURCE_EXHAUSTED for memory, UNAVAILABLE where there is no usable card, else INTERNAL; of those, what the
// runtime keeps answering from then on is marked as a lost device. `doing` names the call.
inline absl::Status ToStatus(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string text = absl::StrCat("cuda: ", doing, ": ", cudaGetErrorString(error));
  switch (error) {
    case cudaErrorMemoryAllocation:
      return absl::ResourceExhaustedError(text);
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
      return absl::UnavailableError(text);
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidDevice:
      return absl::InternalError(text);
    default:
      return AsDeviceLost(absl::InternalError(text));
  }
}

inline absl::Status ToStatus(cublasStatus_t error, const char* doing) {
  if (error == CUBLAS_STATUS_SUCCESS) return absl::OkStatus();
  const std::string text = absl::StrCat("cublas: ", doing, ": status ", static_cast<int>(error));
  if (error == CUBLAS_STATUS_ALLOC_FAILED) return absl::ResourceExhaustedError(text);
  const absl::Status status = absl::InternalError(text);
  return error == CUBLAS_STATUS_EXECUTION_FAILED ? AsDeviceLost(status) : status;
}

}  // namespace espalier::cuda_kernels
