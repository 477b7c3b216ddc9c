// The primitives of backend.h on the device, one set per element type; each set is a file of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "cuda_kernels/state.h"
#include "verifier/backend/backend.h"

namespace espalier::cuda_kernels {

std::unique_ptr<backend::Kernels<float>> MakeFloat32Kernels(CudaState& state);
std::unique_ptr<backend::Kernels<double>> MakeFloat64Kernels(CudaState& state);
// out[i] = in[i]
void WidenOnDevice(CudaState& state, int64_t count, const float* in, double* out);

}  // namespace espalier::cuda_kernels
