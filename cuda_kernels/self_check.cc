#include "cuda_kernels/self_check.h"

#include <cmath>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ir/linear_map.h"

namespace espalier::cuda_kernels {
namespace {

// Numbers with full mantissas, so that a product of shortened ones shows.
double Pattern(int64_t i) {
  return std::sin(static_cast<double>(i) * 0.7 + 0.3);
}

std::vector<double> Patterns(int64_t count, int64_t from) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>(static_cast<float>(Pattern(from + i))));
  return values;
}

ir::LinearMap SampleDense(int64_t rows, int64_t cols) {
  return ir::DenseMap{rows, cols, Patterns(rows * cols, 7)};
}

ir::LinearMap SampleConv() {
  ir::ConvMap m;
  m.big_h = m.big_w = 9, m.big_c = 8;
  m.small_h = m.small_w = 5, m.small_c = 16;
  m.kernel_h = m.kernel_w = 3;
  m.stride_h = m.stride_w = 2;
  m.pad_top = m.pad_left = 1;
  m.kernel = Patterns(16 * 9 * 8, 3);
  return m;
}

void Magnitudes(std::vector<double>& values) {
  for (double& v : values) v = std::fabs(v);
}

// The map with the absolute values of its coefficients.
ir::LinearMap Absolute(ir::LinearMap map) {
  if (auto* dense = std::get_if<ir::DenseMap>(&map)) Magnitudes(dense->weights);
  if (auto* conv = std::get_if<ir::ConvMap>(&map)) Magnitudes(conv->kernel);
  return map;
}

constexpr int64_t kRows = 4;

std::vector<double> Product(const ir::LinearMap& map, const std::vector<double>& in, bool forward) {
  const int64_t from = forward ? ir::InputSize(map) : ir::OutputSize(map);
  const int64_t to = forward ? ir::OutputSize(map) : ir::InputSize(map);
  std::vector<double> out(static_cast<size_t>(kRows * to), 0.0);
  for (int64_t r = 0; r < kRows; ++r) {
    (forward ? ir::Apply : ir::ApplyTransposed)(map, in.data() + r * from, out.data() + r * to);
  }
  return out;
}

template <class T>
absl::Status CheckDirection(backend::Backend& backend, const ir::LinearMap& map,
                            const backend::PreparedMap& prepared, bool forward) {
  const int64_t from = forward ? ir::InputSize(map) : ir::OutputSize(map);
  const int64_t to = forward ? ir::OutputSize(map) : ir::InputSize(map);
  std::vector<double> in = Patterns(kRows * from, 1);
  const std::vector<double> expected = Product(map, in, forward);
  ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<T> source, backend::Allocate<T>(backend, kRows * from));
  ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<T> target, backend::Allocate<T>(backend, kRows * to));
  const std::vector<T> narrow(in.begin(), in.end());
  backend.Upload(narrow.data(), static_cast<int64_t>(narrow.size() * sizeof(T)), source.data());
  backend::Kernels<T>& kernels = backend::KernelsOf<T>(backend);
  forward ? kernels.Forward(prepared, kRows, source.data(), target.data(), false)
          : kernels.Backward(prepared, kRows, source.data(), target.data(), false);
  std::vector<T> actual(expected.size());
  backend.Download(target.data(), static_cast<int64_t>(actual.size() * sizeof(T)), actual.data());
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  // What a sum of products may lose in any order (docs/soundness.md, section 3), which is a quarter of what
  // TF32's ten bits of mantissa make of such a sum.
  const double epsilon = std::is_same_v<T, float> ? 0x1.0p-24 : 0x1.0p-53;
  Magnitudes(in);
  const std::vector<double> magnitude = Product(Absolute(map), in, forward);
  for (size_t i = 0; i < actual.size(); ++i) {
    const double allowed = epsilon * static_cast<double>(prepared.longest_sum() + 2) * magnitude[i];
    if (std::fabs(static_cast<double>(actual[i]) - expected[i]) <= allowed) continue;
    return absl::InternalError(absl::StrCat("cuda: a ", forward ? "forward" : "backward", " product of ",
                                            sizeof(T) * 8, " bits is ", actual[i], ", should be ",
                                            expected[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckProducts(backend::Backend& backend) {
  for (const ir::LinearMap& map : {SampleDense(48, 64), SampleConv()}) {
    ESPALIER_ASSIGN_OR_RETURN(const std::shared_ptr<const backend::PreparedMap> prepared,
                              backend.Prepare(std::make_shared<ir::LinearMap>(map)));
    for (const bool forward : {true, false}) {
      ESPALIER_RETURN_IF_ERROR(CheckDirection<float>(backend, map, *prepared, forward));
      ESPALIER_RETURN_IF_ERROR(CheckDirection<double>(backend, map, *prepared, forward));
    }
  }
  return absl::OkStatus();
}

}  // namespace espalier::cuda_kernels
