#include <utility>
#include <vector>

#include "cuda_kernels/conv.cuh"
#include "cuda_kernels/gemm.h"
#include "cuda_kernels/trainable.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

class DenseTrainable final : public CudaTrainable {
 public:
  DenseTrainable(CudaState& state, const ir::DenseMap& map, DeviceArray<float> weights,
                 DeviceArray<float> gradient)
      : state_(state) {
    input_size_ = map.cols;
    output_size_ = map.rows;
    weight_count_ = map.rows * map.cols;
    weights_ = std::move(weights);
    gradient_ = std::move(gradient);
  }
  void Forward(int64_t rows, const float* x, float* y) override {
    Multiply({.m = rows, .n = output_size_, .k = input_size_, .transpose_b = true}, x, weights(), y);
  }
  void Backward(int64_t rows, const float* gy, float* gx) override {
    Multiply({.m = rows, .n = input_size_, .k = output_size_}, gy, weights(), gx);
  }
  void WeightGradient(int64_t rows, const float* x, const float* gy) override {
    Multiply({.m = output_size_, .n = input_size_, .k = rows, .transpose_a = true}, gy, x, gradient());
  }

 private:
  void Multiply(const GemmShape& shape, const float* a, const float* b, float* c) {
    if (state_.Going()) Gemm(state_, shape, a, b, c);
  }
  CudaState& state_;
};

class ConvTrainable final : public CudaTrainable {
 public:
  ConvTrainable(CudaState& state, const ir::ConvMap& map, DeviceArray<float> weights,
                DeviceArray<float> gradient)
      : products_(state, GeometryOf(map)) {
    const ConvGeometry geometry = GeometryOf(map);
    input_size_ = geometry.big();
    output_size_ = geometry.small();
    weight_count_ = map.small_c * geometry.patch();
    weights_ = std::move(weights);
    gradient_ = std::move(gradient);
  }
  void Forward(int64_t rows, const float* x, float* y) override {
    products_.BigToSmall(rows, x, weights(), y, false);
  }
  void Backward(int64_t rows, const float* gy, float* gx) override {
    products_.SmallToBig(rows, gy, weights(), gx, false);
  }
  void WeightGradient(int64_t rows, const float* x, const float* gy) override {
    products_.KernelGradient(rows, x, gy, gradient());
  }

 private:
  ConvProducts<float> products_;
};

struct Weights {
  DeviceArray<float> values, gradient;
};

absl::StatusOr<Weights> MakeWeights(const std::shared_ptr<CudaState>& state,
                                    const std::vector<double>& values) {
  Weights made;
  const std::vector<float> narrow(values.begin(), values.end());
  ESPALIER_ASSIGN_OR_RETURN(made.values, DeviceArray<float>::From(state, narrow));
  ESPALIER_ASSIGN_OR_RETURN(made.gradient,
                            DeviceArray<float>::Of(state, static_cast<int64_t>(values.size())));
  return made;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaTrainable>> MakeCudaTrainable(std::shared_ptr<CudaState> state,
                                                                 const ir::LinearMap& map) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) {
    ESPALIER_ASSIGN_OR_RETURN(Weights w, MakeWeights(state, m->weights));
    return std::make_unique<DenseTrainable>(*state, *m, std::move(w.values), std::move(w.gradient));
  }
  if (const auto* m = std::get_if<ir::ConvMap>(&map); m != nullptr && !m->transposed) {
    ESPALIER_RETURN_IF_ERROR(CheckSizes(*m));
    ESPALIER_RETURN_IF_ERROR(ReserveFor(*state, GeometryOf(*m)));
    ESPALIER_ASSIGN_OR_RETURN(Weights w, MakeWeights(state, m->kernel));
    return std::make_unique<ConvTrainable>(*state, *m, std::move(w.values), std::move(w.gradient));
  }
  return absl::UnimplementedError("only dense maps and convolutions can be trained");
}

}  // namespace espalier::cuda_kernels
