#include "verifier/backend/cpu_self_check.h"

#include <cmath>
#include <memory>
#include <vector>

#include "verifier/backend/cpu_map.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

// Compares one map's products with plain loops on a fixed pattern.
absl::Status CheckMap(const ir::LinearMap& map) {
  ESPALIER_ASSIGN_OR_RETURN(const std::shared_ptr<const CpuMap> cpu,
                            MakeCpuMap(std::make_shared<ir::LinearMap>(map), false));
  const int64_t in = ir::InputSize(map), out = ir::OutputSize(map), rows = 3;
  const auto value = [](int64_t i) { return static_cast<double>((i * 37 + 11) % 19 - 9) / 8.0; };
  std::vector<double> x(static_cast<size_t>(rows * in)), y(static_cast<size_t>(rows * out)),
      expected(y.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = value(static_cast<int64_t>(i));
  for (int64_t r = 0; r < rows; ++r) ir::Apply(map, x.data() + r * in, expected.data() + r * out);
  CpuScratch scratch;
  ESPALIER_RETURN_IF_ERROR(cpu->Forward(rows, x.data(), y.data(), false, scratch));
  std::vector<float> xf(x.begin(), x.end()), yf(y.size());
  ESPALIER_RETURN_IF_ERROR(cpu->Forward(rows, xf.data(), yf.data(), false, scratch));
  std::vector<double> back(x.size()), expected_back(x.size());
  for (int64_t r = 0; r < rows; ++r)
    ir::ApplyTransposed(map, expected.data() + r * out, expected_back.data() + r * in);
  ESPALIER_RETURN_IF_ERROR(cpu->Backward(rows, expected.data(), back.data(), false, scratch));
  std::vector<float> ef(expected.begin(), expected.end()), bf(x.size());
  ESPALIER_RETURN_IF_ERROR(cpu->Backward(rows, ef.data(), bf.data(), false, scratch));
  bool good = true;
  for (size_t i = 0; i < y.size(); ++i) {
    good = good && std::fabs(y[i] - expected[i]) < 1e-10 &&
           std::fabs(static_cast<double>(yf[i]) - expected[i]) < 1e-3;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    good = good && std::fabs(back[i] - expected_back[i]) < 1e-9 &&
           std::fabs(static_cast<double>(bf[i]) - expected_back[i]) < 1e-2;
  }
  if (!good)
    return absl::InternalError("the linear algebra libraries compute wrong results on this processor");
  return absl::OkStatus();
}

// A pattern of weights; with 256 columns large enough for oneDNN's GEMM, with few for OpenBLAS's.
ir::LinearMap SampleDense(int64_t rows, int64_t cols) {
  ir::DenseMap m{rows, cols, {}};
  for (int64_t i = 0; i < rows * cols; ++i)
    m.weights.push_back(static_cast<double>((i * 29 + 3) % 17 - 8) / 16.0);
  return m;
}

ir::LinearMap SampleConv() {
  ir::ConvMap m;
  m.big_h = m.big_w = 7, m.big_c = 3;
  m.small_h = m.small_w = 4, m.small_c = 5;
  m.kernel_h = m.kernel_w = 3;
  m.stride_h = m.stride_w = 2;
  m.pad_top = m.pad_left = 1;
  for (int i = 0; i < 135; ++i) m.kernel.push_back(static_cast<double>((i * 31 + 5) % 23 - 11) / 32.0);
  return m;
}

}  // namespace

absl::Status CpuSelfCheck::ForMap(const ir::LinearMap& map) {
  if (!blas_) {
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleDense(9, 7)));
    blas_ = true;
  }
  if (UsesOneDnn(map) && !onednn_) {
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleDense(256, 256)));
    ESPALIER_RETURN_IF_ERROR(CheckMap(SampleConv()));
    onednn_ = true;
  }
  return absl::OkStatus();
}

}  // namespace espalier::backend
