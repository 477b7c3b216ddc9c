// The float64 primitives, and what leads from float32 to them.
#include "cuda_kernels/kernels.cuh"

namespace espalier::cuda_kernels {

std::unique_ptr<backend::Kernels<double>> MakeFloat64Kernels(CudaState& state) {
  return std::make_unique<CudaKernels<double>>(state);
}

void WidenOnDevice(CudaState& state, int64_t count, const float* in, double* out) {
  ForElements(state, count, WidenBody{in, out});
}

}  // namespace espalier::cuda_kernels
