// The CUDA backend: backend::Backend on one NVIDIA GPU, by cuBLAS and kernels of our own. Headers of CUDA
// stay inside this folder; a build without nvcc has the same functions, and they say so.
//
//   auto gpu = cuda_kernels::MakeCudaBackend({.device = 0, .memory_bytes = 0, .stop = token});
//   if (!gpu.ok()) ...   // UNIMPLEMENTED "cuda: not built", UNAVAILABLE "cuda: no device: ..."
//
// One stream per backend; several backends may share a card, each used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/stop_token.h"

namespace espalier::cuda_kernels {

struct CudaOptions {
  int device = 0;            // index as the CUDA runtime counts
  int64_t memory_bytes = 0;  // 0: nine tenths of what is free on the card
  StopToken stop = {};       // ends all work with CANCELLED; never: the default
};

// Compares cuBLAS's products and the convolutions with plain loops before it returns: INTERNAL when they
// disagree by more than float32 may. NOT_FOUND: no such device. RESOURCE_EXHAUSTED: no room on it.
absl::StatusOr<std::unique_ptr<backend::Backend>> MakeCudaBackend(const CudaOptions& options);

// Names of the cards that can be used, in the runtime's order; the error says why there are none.
absl::StatusOr<std::vector<std::string>> CudaDevices();

// Whether these sources have passed their tests on a real card. Until then a card computes only for those who
// name it: `auto` is the processor.
bool TriedOnCards();

}  // namespace espalier::cuda_kernels
