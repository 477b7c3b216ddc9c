#include "tests/gpu_check/products.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cuda_kernels/cuda_backend.h"
#include "cuda_kernels/gemm.h"
#include "verifier/ir/linear_map.h"

namespace espalier::gpu_check {
namespace {

using cuda_kernels::GemmShape;

struct Layer {
  const char* name;
  ir::LinearMap map;
};

std::vector<double> Coefficients(int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i % 4099) + 0.5);
  return values;
}

// Square images and kernels, padded by one.
ir::LinearMap Conv(int64_t size, int64_t channels, int64_t kernel, int64_t stride, int64_t to_channels) {
  ir::ConvMap m;
  m.big_h = m.big_w = size, m.big_c = channels;
  m.kernel_h = m.kernel_w = kernel;
  m.stride_h = m.stride_w = stride;
  m.pad_top = m.pad_left = 1;
  m.small_h = m.small_w = (size + 2 - kernel) / stride + 1, m.small_c = to_channels;
  m.kernel = Coefficients(to_channels * kernel * kernel * channels);
  return m;
}

ir::LinearMap Dense(int64_t rows, int64_t cols) {
  return ir::DenseMap{rows, cols, Coefficients(rows * cols)};
}

std::vector<Layer> Layers() {
  std::vector<Layer> layers;
  layers.push_back({"oval21-wide conv 32x32x3-16x16x16", Conv(32, 3, 4, 2, 16)});
  layers.push_back({"oval21-wide conv 16x16x16-8x8x32", Conv(16, 16, 4, 2, 32)});
  layers.push_back({"oval21-wide dense 2048-100", Dense(100, 2048)});
  layers.push_back({"cnn-17m conv 32x32x64-32x32x64", Conv(32, 64, 3, 1, 64)});
  layers.push_back({"cnn-17m conv 32x32x64-16x16x128", Conv(32, 64, 3, 2, 128)});
  layers.push_back({"cnn-17m conv 16x16x128-16x16x128", Conv(16, 128, 3, 1, 128)});
  layers.push_back({"cnn-17m dense 32768-512", Dense(512, 32768)});
  layers.push_back({"mnist dense 256-256", Dense(256, 256)});
  return layers;
}

// One image's product as cuBLAS sees it, for batches of one.
struct Work {
  int64_t pixels, patch, channels;  // dense: 1, inputs, outputs
  double flops_per_row() const {
    return 2.0 * static_cast<double>(pixels) * static_cast<double>(patch) * static_cast<double>(channels);
  }
  int64_t largest() const { return pixels * std::max(patch, channels); }
};

Work WorkOf(const ir::LinearMap& map) {
  if (const auto* conv = std::get_if<ir::ConvMap>(&map)) {
    return {conv->small_h * conv->small_w, conv->kernel_h * conv->kernel_w * conv->big_c, conv->small_c};
  }
  return {1, ir::InputSize(map), ir::OutputSize(map)};
}

// cuBLAS alone, on patches that are there already.
template <class T>
absl::StatusOr<double> LibrarySeconds(backend::Backend& backend, cuda_kernels::CudaState& state,
                                      const Work& w, int64_t rows, bool forward, double least) {
  ESPALIER_ASSIGN_OR_RETURN(const auto patches, Noise<T>(backend, rows * w.pixels * w.patch));
  ESPALIER_ASSIGN_OR_RETURN(const auto small, Noise<T>(backend, rows * w.pixels * w.channels));
  ESPALIER_ASSIGN_OR_RETURN(const auto kernel, Noise<T>(backend, w.channels * w.patch));
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  const auto wait = [&state] { return state.Synchronise(); };
  return SecondsOf(least, wait, [&] {
    if (forward) {
      const GemmShape shape{rows * w.pixels, w.channels, w.patch, false, true, false};
      cuda_kernels::Gemm(state, shape, patches.data(), kernel.data(), small.data());
    } else {
      const GemmShape shape{rows * w.pixels, w.patch, w.channels, false, false, false};
      cuda_kernels::Gemm(state, shape, small.data(), kernel.data(), patches.data());
    }
  });
}

class Bench {
 public:
  Bench(backend::Backend& backend, cuda_kernels::CudaState& state, const ProductSettings& settings)
      : backend_(backend), state_(state), settings_(settings) {}

  template <class T>
  absl::Status Measure(const Layer& layer, bool forward) {
    const Work work = WorkOf(layer.map);
    const auto size = static_cast<int64_t>(sizeof(T));
    const double wanted = settings_.flops / work.flops_per_row() / (sizeof(T) == 8 ? 2 : 1);
    const int64_t rows = std::clamp<int64_t>(static_cast<int64_t>(wanted), 1,
                                             std::max<int64_t>(1, settings_.bytes / (work.largest() * size)));
    ESPALIER_ASSIGN_OR_RETURN(const auto map, backend_.Prepare(std::make_shared<ir::LinearMap>(layer.map)));
    ESPALIER_ASSIGN_OR_RETURN(const auto x, Noise<T>(backend_, rows * map->input_size()));
    ESPALIER_ASSIGN_OR_RETURN(const auto y, Noise<T>(backend_, rows * map->output_size()));
    backend::Kernels<T>& kernels = backend::KernelsOf<T>(backend_);
    const auto wait = [this] { return backend_.Synchronise(); };
    Measurement m;
    m.name =
        absl::StrCat(layer.name, forward ? " forward" : " backward", size == 8 ? " float64" : " float32");
    m.rows = rows;
    m.flops = work.flops_per_row() * static_cast<double>(rows);
    ESPALIER_ASSIGN_OR_RETURN(m.seconds, SecondsOf(settings_.least_seconds, wait, [&] {
                                forward ? kernels.Forward(*map, rows, x.data(), y.data(), false)
                                        : kernels.Backward(*map, rows, y.data(), x.data(), false);
                              }));
    ESPALIER_ASSIGN_OR_RETURN(
        m.limit_seconds, LibrarySeconds<T>(backend_, state_, work, rows, forward, settings_.least_seconds));
    measurements_.push_back(std::move(m));
    return absl::OkStatus();
  }
  std::vector<Measurement> Take() { return std::move(measurements_); }

 private:
  backend::Backend& backend_;
  cuda_kernels::CudaState& state_;
  const ProductSettings& settings_;
  std::vector<Measurement> measurements_;
};

}  // namespace

template <class T>
absl::StatusOr<backend::Buffer<T>> Noise(backend::Backend& backend, int64_t count) {
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<T> buffer, backend::Allocate<T>(backend, count));
  constexpr int64_t kPiece = 1 << 20;
  std::vector<T> piece(static_cast<size_t>(std::min(count, kPiece)));
  for (size_t i = 0; i < piece.size(); ++i)
    piece[i] = static_cast<T>(std::sin(static_cast<double>(i % 4999)));
  for (int64_t at = 0; at < count; at += kPiece) {
    backend.Upload(piece.data(), std::min(kPiece, count - at) * static_cast<int64_t>(sizeof(T)),
                   buffer.data() + at);
  }
  return buffer;
}
template absl::StatusOr<backend::Buffer<float>> Noise(backend::Backend&, int64_t);
template absl::StatusOr<backend::Buffer<double>> Noise(backend::Backend&, int64_t);

absl::StatusOr<std::vector<Measurement>> MeasureProducts(const ProductSettings& settings) {
  ESPALIER_ASSIGN_OR_RETURN(const auto backend, cuda_kernels::MakeCudaBackend({.device = settings.device}));
  ESPALIER_ASSIGN_OR_RETURN(const auto state,
                            cuda_kernels::CudaState::Make(settings.device, 1 << 20, StopToken()));
  Bench bench(*backend, *state, settings);
  for (const Layer& layer : Layers()) {
    ESPALIER_RETURN_IF_ERROR(bench.Measure<float>(layer, true));
    ESPALIER_RETURN_IF_ERROR(bench.Measure<float>(layer, false));
    ESPALIER_RETURN_IF_ERROR(bench.Measure<double>(layer, false));
  }
  return bench.Take();
}

}  // namespace espalier::gpu_check
