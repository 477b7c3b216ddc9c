// Maps whose weights are trained, as the CUDA backend computes with them.
#pragma once

#include <memory>

#include "cuda_kernels/state.h"
#include "verifier/backend/training.h"

namespace espalier::cuda_kernels {

class CudaTrainable : public backend::TrainableMap {
 public:
  float* weights() override { return weights_.data(); }
  float* gradient() override { return gradient_.data(); }

  // All overwrite. Queued; errors are noted in the state.
  virtual void Forward(int64_t rows, const float* x, float* y) = 0;
  virtual void Backward(int64_t rows, const float* gy, float* gx) = 0;
  virtual void WeightGradient(int64_t rows, const float* x, const float* gy) = 0;

 protected:
  DeviceArray<float> weights_, gradient_;
};

// UNIMPLEMENTED for maps other than dense and (not transposed) convolution. RESOURCE_EXHAUSTED.
absl::StatusOr<std::unique_ptr<CudaTrainable>> MakeCudaTrainable(std::shared_ptr<CudaState> state,
                                                                 const ir::LinearMap& map);

std::unique_ptr<backend::Training> MakeCudaTraining(std::shared_ptr<CudaState> state);

}  // namespace espalier::cuda_kernels
