// Maps whose weights are trained, as the CPU backend computes with them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/training.h"

namespace espalier::backend {

class CpuTrainable : public TrainableMap {
 public:
  float* weights() override { return weights_.data(); }
  float* gradient() override { return gradient_.data(); }

  // All overwrite. RESOURCE_EXHAUSTED when the backend's memory has no room for the library's own layout.
  virtual absl::Status Forward(int64_t rows, const float* x, float* y) = 0;
  virtual absl::Status Backward(int64_t rows, const float* gy, float* gx) = 0;
  virtual absl::Status WeightGradient(int64_t rows, const float* x, const float* gy) = 0;
  virtual void WeightsChanged() {}

 protected:
  // Sets weight_count_, weights_ and makes room for gradient_.
  absl::Status AllocateWeights(Backend& backend, const std::vector<double>& values);

  Buffer<float> weights_, gradient_;
};

absl::StatusOr<std::unique_ptr<CpuTrainable>> MakeConvTrainable(Backend& backend, const ir::ConvMap& map);

// UNIMPLEMENTED for maps other than dense and (not transposed) convolution.
absl::StatusOr<std::unique_ptr<CpuTrainable>> MakeCpuTrainable(Backend& backend, const ir::LinearMap& map);

}  // namespace espalier::backend
