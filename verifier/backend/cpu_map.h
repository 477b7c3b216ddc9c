// Linear maps as the CPU backend computes with them, in float32 (oneDNN) and float64 (OpenBLAS).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "verifier/backend/backend.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// Working memory that a map needs beside its operands; grows to the largest request. For one thread at a
// time.
struct CpuScratch {
  std::vector<float> f32;
};

class CpuMap : public PreparedMap {
 public:
  // y[rows][out] = x W^T, or += ; out[rows][in] = lambda W, or +=.
  virtual absl::Status Forward(int64_t rows, const float* x, float* y, bool accumulate,
                               CpuScratch& scratch) const = 0;
  virtual absl::Status Forward(int64_t rows, const double* x, double* y, bool accumulate,
                               CpuScratch& scratch) const = 0;
  virtual absl::Status Backward(int64_t rows, const float* lambda, float* out, bool accumulate,
                                CpuScratch& scratch) const = 0;
  virtual absl::Status Backward(int64_t rows, const double* lambda, double* out, bool accumulate,
                                CpuScratch& scratch) const = 0;
  // out[0..in) += sign * W[neuron][:]
  virtual void AddRow(int64_t neuron, float sign, float* out) const = 0;
  virtual void AddRow(int64_t neuron, double sign, double* out) const = 0;
};

// Whether float32 products with this map go through oneDNN. Its first use costs some 40 ms of code
// generation, so small dense maps use OpenBLAS.
bool UsesOneDnn(const ir::LinearMap& map);

absl::StatusOr<std::shared_ptr<const CpuMap>> MakeCpuMap(const ir::LinearMapPtr& map, bool absolute);

}  // namespace espalier::backend
