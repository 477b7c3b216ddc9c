// The float32 primitives.
#include "cuda_kernels/kernels.cuh"

namespace espalier::cuda_kernels {

std::unique_ptr<backend::Kernels<float>> MakeFloat32Kernels(CudaState& state) {
  return std::make_unique<CudaKernels<float>>(state);
}

}  // namespace espalier::cuda_kernels
