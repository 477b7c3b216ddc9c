// Training primitives on the device (training.h). Sums over rows run over strips of fixed height and then
// over the strips, so that the order depends on the shape alone.
#include <algorithm>
#include <utility>

#include "cuda_kernels/element_bodies.cuh"
#include "cuda_kernels/trainable.h"
#include "cuda_kernels/training_bodies.cuh"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

using backend::HingeArrays;

constexpr int64_t kMostStrips = 1024;
constexpr int64_t kFewestRowsInAStrip = 16;

class CudaTraining final : public backend::Training {
 public:
  explicit CudaTraining(std::shared_ptr<CudaState> state) : state_(std::move(state)) {}

  absl::StatusOr<std::unique_ptr<backend::TrainableMap>> MakeTrainable(const ir::LinearMap& map) override {
    if (!state_->Going()) return state_->status();
    ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<CudaTrainable> made, MakeCudaTrainable(state_, map));
    return made;
  }
  void WeightsChanged(backend::TrainableMap&) override {}
  void Forward(backend::TrainableMap& map, int64_t rows, const float* x, float* y) override {
    Cuda(map).Forward(rows, x, y);
  }
  void Backward(backend::TrainableMap& map, int64_t rows, const float* gy, float* gx) override {
    Cuda(map).Backward(rows, gy, gx);
  }
  void WeightGradient(backend::TrainableMap& map, int64_t rows, const float* x, const float* gy) override {
    Cuda(map).WeightGradient(rows, x, gy);
  }

  void AddRows(int64_t rows, int64_t n, const float* vec, float* y) override {
    ForGrid(*state_, {rows, n}, FillRowsBody<float>{n, vec, y, true});
  }
  void ColumnSums(int64_t rows, int64_t n, const float* g, float* out) override {
    SumColumns({rows, n}, g, nullptr, nullptr, out);
  }
  void HingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                    float* y) override {
    ForGrid(*state_, {rows, n}, HingeBody<float>{n, hinge, z, y, nullptr});
  }
  void HingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                     float* g) override {
    ForGrid(*state_, {rows, n}, HingeBackwardBody{n, hinge, z, g});
  }
  void LineGradient(int64_t rows, int64_t n, const float* z, const float* gy,
                    const backend::LineGradients& out) override {
    SumColumns({rows, n}, gy, z, out.mask, out.slope);
    SumColumns({rows, n}, gy, nullptr, out.mask, out.intercept);
  }
  void BoxHingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const backend::BoxRows& from,
                       const backend::BoxRows& to) override {
    ForGrid(*state_, {rows, n}, BoxHingeForwardBody{n, hinge, from, to});
  }
  void BoxHingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge,
                        const backend::BoxRows& from, const backend::BoxRows& g) override {
    ForGrid(*state_, {rows, n}, BoxHingeBackwardBody{n, hinge, from, g});
  }
  void WorstLogits(int64_t rows, int64_t classes, const int32_t* label, const backend::BoxRows& from,
                   float* out) override {
    ForGrid(*state_, {rows, classes}, WorstLogitsBody{classes, label, from, out});
  }
  void Absolute(int64_t count, const float* x, float* y) override {
    ForElements(*state_, count, AbsoluteBody{x, y});
  }
  void AddSigned(int64_t count, const float* s, const float* x, float* y) override {
    ForElements(*state_, count, AddSignedBody{s, x, y});
  }
  void CrossEntropy(int64_t rows, int64_t classes, const float* logits, const backend::LossTarget& target,
                    const backend::LossResult& result) override {
    ForElements(*state_, rows, CrossEntropyBody{classes, logits, target, result});
  }
  void Descend(int64_t count, const backend::DescentStep& step, const float* gradient, float* velocity,
               float* weight) override {
    ForElements(*state_, count, DescendBody{step, gradient, velocity, weight});
  }
  void BoxAround(int64_t count, const float* x, const backend::BoxShape& shape, float* lower,
                 float* upper) override {
    ForElements(*state_, count, BoxAroundBody{x, shape, lower, upper});
  }
  void UniformInBox(int64_t count, const backend::RandomKey& key, const float* lower, const float* upper,
                    float* x) override {
    ForElements(*state_, count, UniformInBoxBody{key, lower, upper, x});
  }
  void SignStep(int64_t count, float rate, const float* g, const float* lower, const float* upper,
                float* x) override {
    ForElements(*state_, count, SignStepBody{rate, g, lower, upper, x});
  }

 private:
  static CudaTrainable& Cuda(backend::TrainableMap& map) { return static_cast<CudaTrainable&>(map); }

  // The strips' sums lie in memory of their own for as long as the queued work needs it. Without room the
  // error is sticky: the caller has no smaller batch to try.
  void SumColumns(Extent extent, const float* g, const float* z, const float* keep, float* out) {
    if (extent.n <= 0) return;
    const int64_t height = std::max(kFewestRowsInAStrip, (extent.rows + kMostStrips - 1) / kMostStrips);
    const int64_t strips = (extent.rows + height - 1) / height;
    absl::StatusOr<DeviceArray<double>> partial =
        DeviceArray<double>::Of(state_, std::max<int64_t>(1, strips * extent.n));
    if (!partial.ok()) {
      state_->Note(partial.status());
      return;
    }
    ForGrid(*state_, {strips, extent.n}, StripSumBody{extent, height, g, z, partial->data()});
    ForElements(*state_, extent.n, StripTotalBody{strips, extent.n, partial->data(), keep, out});
  }

  std::shared_ptr<CudaState> state_;
};

}  // namespace

std::unique_ptr<backend::Training> MakeCudaTraining(std::shared_ptr<CudaState> state) {
  return std::make_unique<CudaTraining>(std::move(state));
}

}  // namespace espalier::cuda_kernels
