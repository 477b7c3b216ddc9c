#include "verifier/backend/cpu_trainable.h"

#include <omp.h>

#include <algorithm>

#include "verifier/backend/cpu_onednn.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

// The larger side of C is cut between the threads, each with the library in its single-threaded mode.
void ParallelGemm(const GemmShape& whole, const float* a, const float* b, float* c) {
  GemmShape s = whole;
  s.lda = s.transpose_a ? s.m : s.k;
  s.ldb = s.transpose_b ? s.k : s.n;
  s.ldc = s.n;
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  if (flops < 4e5) {
    SgemmRowMajor(s, a, b, c);
    return;
  }
#pragma omp parallel
  {
    const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
    const bool by_row = s.m >= s.n;
    const int64_t side = by_row ? s.m : s.n;
    const int64_t begin = side * me / team, end = side * (me + 1) / team;
    GemmShape block = s;
    (by_row ? block.m : block.n) = end - begin;
    const int64_t from_a = !by_row ? 0 : s.transpose_a ? begin : begin * s.lda;
    const int64_t from_b = by_row ? 0 : s.transpose_b ? begin * s.ldb : begin;
    if (end > begin) SgemmRowMajor(block, a + from_a, b + from_b, c + (by_row ? begin * s.ldc : begin));
  }
}

class DenseTrainable final : public CpuTrainable {
 public:
  static absl::StatusOr<std::unique_ptr<CpuTrainable>> Make(Backend& backend, const ir::DenseMap& map) {
    auto made = std::make_unique<DenseTrainable>();
    made->input_size_ = map.cols;
    made->output_size_ = map.rows;
    ESPALIER_RETURN_IF_ERROR(made->AllocateWeights(backend, map.weights));
    return made;
  }

  absl::Status Forward(int64_t rows, const float* x, float* y) override {
    ParallelGemm({.m = rows, .n = output_size_, .k = input_size_, .transpose_b = true}, x, weights(), y);
    return absl::OkStatus();
  }
  absl::Status Backward(int64_t rows, const float* gy, float* gx) override {
    ParallelGemm({.m = rows, .n = input_size_, .k = output_size_}, gy, weights(), gx);
    return absl::OkStatus();
  }
  absl::Status WeightGradient(int64_t rows, const float* x, const float* gy) override {
    ParallelGemm({.m = output_size_, .n = input_size_, .k = rows, .transpose_a = true}, gy, x, gradient());
    return absl::OkStatus();
  }
};

}  // namespace

absl::Status CpuTrainable::AllocateWeights(Backend& backend, const std::vector<double>& values) {
  weight_count_ = static_cast<int64_t>(values.size());
  ESPALIER_ASSIGN_OR_RETURN(weights_, Allocate<float>(backend, weight_count_));
  ESPALIER_ASSIGN_OR_RETURN(gradient_, Allocate<float>(backend, weight_count_));
  std::copy(values.begin(), values.end(), weights_.data());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CpuTrainable>> MakeCpuTrainable(Backend& backend, const ir::LinearMap& map) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) return DenseTrainable::Make(backend, *m);
  if (const auto* m = std::get_if<ir::ConvMap>(&map); m != nullptr && !m->transposed) {
    return MakeConvTrainable(backend, *m);
  }
  return absl::UnimplementedError("only dense maps and convolutions can be trained");
}

}  // namespace espalier::backend
