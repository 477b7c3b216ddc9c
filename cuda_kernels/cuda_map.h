// Linear maps as the CUDA backend computes with them: coefficients on the device in float32 and float64.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "cuda_kernels/state.h"
#include "verifier/backend/backend.h"
#include "verifier/ir/linear_map.h"

namespace espalier::cuda_kernels {

// One product's operands: in [rows][from], out [rows][to].
template <class T>
struct Batch {
  int64_t rows = 0;
  const T* in = nullptr;
  T* out = nullptr;
  bool accumulate = false;
};

class CudaMap : public backend::PreparedMap {
 public:
  // y (+)= x W^T;  out (+)= lambda W;  out[r] (+)= sign[r] W[neuron[r]]. Queued; errors are noted in the
  // state.
  virtual void Forward(const Batch<float>& batch) const = 0;
  virtual void Forward(const Batch<double>& batch) const = 0;
  virtual void Backward(const Batch<float>& batch) const = 0;
  virtual void Backward(const Batch<double>& batch) const = 0;
  virtual void BackwardUnit(const backend::UnitRows<float>& unit, float* out, bool accumulate) const = 0;
  virtual void BackwardUnit(const backend::UnitRows<double>& unit, double* out, bool accumulate) const = 0;
};

using CudaMapPtr = std::shared_ptr<const CudaMap>;

// RESOURCE_EXHAUSTED when the coefficients do not fit on the card.
absl::StatusOr<CudaMapPtr> MakeCudaMap(std::shared_ptr<CudaState> state, const ir::LinearMap& map);
absl::StatusOr<CudaMapPtr> MakeConvMap(std::shared_ptr<CudaState> state, const ir::ConvMap& map);

}  // namespace espalier::cuda_kernels
