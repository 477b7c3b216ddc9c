// Training on the CPU: rows and elements in parallel by OpenMP with kernels by instruction set, maps by
// oneDNN and OpenBLAS. The same thread number gives the same bits.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "verifier/backend/backend.h"
#include "verifier/backend/cpu_self_check.h"
#include "verifier/backend/cpu_state.h"
#include "verifier/backend/cpu_training_rows.h"
#include "verifier/backend/training.h"

namespace espalier::backend {

class CpuTraining final : public Training {
 public:
  CpuTraining(Backend& backend, CpuState& state, CpuSelfCheck& checked)
      : backend_(backend), state_(state), checked_(checked), table_(BestTrainingTable()) {}

  absl::StatusOr<std::unique_ptr<TrainableMap>> MakeTrainable(const ir::LinearMap& map) override;
  void WeightsChanged(TrainableMap& map) override;

  void Forward(TrainableMap& map, int64_t rows, const float* x, float* y) override;
  void Backward(TrainableMap& map, int64_t rows, const float* gy, float* gx) override;
  void WeightGradient(TrainableMap& map, int64_t rows, const float* x, const float* gy) override;

  void AddRows(int64_t rows, int64_t n, const float* vec, float* y) override;
  void ColumnSums(int64_t rows, int64_t n, const float* g, float* out) override;
  void HingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                    float* y) override;
  void HingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                     float* g) override;
  void LineGradient(int64_t rows, int64_t n, const float* z, const float* gy,
                    const LineGradients& out) override;
  void BoxHingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const BoxRows& from,
                       const BoxRows& to) override;
  void BoxHingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const BoxRows& from,
                        const BoxRows& g) override;
  void WorstLogits(int64_t rows, int64_t classes, const int32_t* label, const BoxRows& from,
                   float* out) override;
  void Absolute(int64_t count, const float* x, float* y) override;
  void AddSigned(int64_t count, const float* s, const float* x, float* y) override;
  void CrossEntropy(int64_t rows, int64_t classes, const float* logits, const LossTarget& target,
                    const LossResult& result) override;
  void Descend(int64_t count, const DescentStep& step, const float* gradient, float* velocity,
               float* weight) override;
  void BoxAround(int64_t count, const float* x, const BoxShape& shape, float* lower, float* upper) override;
  void UniformInBox(int64_t count, const RandomKey& key, const float* lower, const float* upper,
                    float* x) override;
  void SignStep(int64_t count, float rate, const float* g, const float* lower, const float* upper,
                float* x) override;

 private:
  // body(tile, first row, first column) for tiles that cover [rows][n]. The cut depends on the shape alone.
  template <class Body>
  void ForTiles(int64_t rows, int64_t n, Body body);
  // out[i] = sum over rows, by partial(tile, offset, column sums); columns with keep[i] == 0 get 0.
  template <class Partial>
  void SumColumns(int64_t rows, int64_t n, const float* keep, float* out, Partial partial);

  Backend& backend_;
  CpuState& state_;
  CpuSelfCheck& checked_;
  const TrainingTable& table_;
  std::vector<double> partial_sums_;  // [row blocks][n]
};

}  // namespace espalier::backend
