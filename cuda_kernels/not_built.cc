// What stands in for the CUDA backend in a build without nvcc.
#include "cuda_kernels/cuda_backend.h"

namespace espalier::cuda_kernels {

absl::StatusOr<std::unique_ptr<backend::Backend>> MakeCudaBackend(const CudaOptions&) {
  return absl::UnimplementedError("cuda: not built");
}

absl::StatusOr<std::vector<std::string>> CudaDevices() {
  return absl::UnimplementedError("cuda: not built");
}

}  // namespace espalier::cuda_kernels
