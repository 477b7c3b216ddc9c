#include "tests/gpu_check/search_rate.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "cuda_kernels/cuda_backend.h"
#include "verifier/backend/compact.h"
#include "verifier/ir/compose.h"

namespace espalier::gpu_check {
namespace {

using backend::CompactNetwork;
using backend::CompactStage;

// Builds a network layer by layer; `value_` are the slots that hold the last layer's values.
class Builder {
 public:
  explicit Builder(int64_t inputs) : value_(static_cast<size_t>(inputs)) {
    network_.inputs = network_.slots = static_cast<int32_t>(inputs);
    network_.lower.assign(value_.size(), -0.1);
    network_.upper.assign(value_.size(), 0.1);
    std::iota(value_.begin(), value_.end(), 0);
  }
  void Affine(const ir::LinearMap& map) {
    const ir::SparseMap rows = ir::ToSparse(map);
    CompactStage stage;
    stage.begin = network_.first_output = network_.slots;
    stage.rows.begin = rows.row_begin;
    for (const int32_t column : rows.column) stage.rows.column.push_back(value_[static_cast<size_t>(column)]);
    stage.rows.value.assign(rows.value.begin(), rows.value.end());
    stage.bias.assign(static_cast<size_t>(rows.rows), 0.01);
    value_.resize(stage.bias.size());
    std::iota(value_.begin(), value_.end(), stage.begin);
    network_.slots += stage.size();
    network_.stages.push_back(std::move(stage));
  }
  // Every third neuron is unstable, the others linear.
  void Activation() {
    CompactStage stage;
    stage.begin = network_.slots;
    stage.first_unstable = static_cast<int32_t>(network_.unstable());
    stage.source_stage = static_cast<int32_t>(network_.stages.size()) - 1;
    for (size_t i = 0; i < value_.size(); i += 3) {
      stage.source.push_back(value_[i]);
      value_[i] = network_.slots++;
      network_.lines.left.push_back(0);
      network_.lines.right.push_back(1);
      network_.lines.chord_slope.push_back(0.5);
      network_.lines.chord_intercept.push_back(0.5);
      network_.lines.free_start.push_back(1);
    }
    network_.stages.push_back(std::move(stage));
  }
  CompactNetwork Take() { return std::move(network_); }

 private:
  CompactNetwork network_;
  std::vector<int32_t> value_;
};

std::vector<double> Coefficients(int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.1 * std::sin(static_cast<double>(i % 4099) + 0.5);
  return values;
}

ir::LinearMap Halving(int64_t pixels, int64_t channels, int64_t to_channels) {
  ir::ConvMap m;
  m.big_h = m.big_w = pixels, m.big_c = channels;
  m.kernel_h = m.kernel_w = 4, m.stride_h = m.stride_w = 2, m.pad_top = m.pad_left = 1;
  m.small_h = m.small_w = pixels / 2, m.small_c = to_channels;
  m.kernel = Coefficients(to_channels * 16 * channels);
  return m;
}

// The layers of OVAL 2021's wide network, all of whose neurons are alive.
CompactNetwork Network(int64_t pixels) {
  const int64_t flat = pixels / 4 * (pixels / 4) * 32;
  Builder builder(pixels * pixels * 3);
  builder.Affine(Halving(pixels, 3, 16));
  builder.Activation();
  builder.Affine(Halving(pixels / 2, 16, 32));
  builder.Activation();
  builder.Affine(ir::DenseMap{100, flat, Coefficients(100 * flat)});
  builder.Activation();
  builder.Affine(ir::DenseMap{10, 100, Coefficients(1000)});
  return builder.Take();
}

}  // namespace

absl::StatusOr<std::vector<Measurement>> MeasureSearch(const SearchSettings& settings, double product_rate) {
  ESPALIER_ASSIGN_OR_RETURN(const auto backend, cuda_kernels::MakeCudaBackend({.device = settings.device}));
  CompactNetwork network = Network(settings.pixels);
  const double per_domain = 2.0 * static_cast<double>(network.work() * (2 * settings.steps - 1));
  ESPALIER_ASSIGN_OR_RETURN(const auto bounder, backend->MakeCompact(network));
  const auto wait = [&] { return backend->Synchronise(); };
  std::vector<Measurement> measurements;
  for (const int64_t count : settings.domains) {
    std::vector<backend::CompactDomain> domains(static_cast<size_t>(count));
    for (size_t d = 0; d < domains.size(); ++d) {
      domains[d].output.assign(10, d % 2 == 0 ? 1.0f : -1.0f);
      domains[d].offset = -1e6;  // none is refuted: all take every step
      domains[d].splits = {{.neuron = static_cast<int32_t>(d % 64), .sign = 1.0f}};
    }
    absl::Status bounded;
    Measurement m;
    m.name = absl::StrCat("oval21-wide, ", settings.steps, " steps");
    m.rows = count;
    m.flops = per_domain * static_cast<double>(count);
    m.limit_seconds = m.flops / product_rate;
    ESPALIER_ASSIGN_OR_RETURN(
        m.seconds, SecondsOf(settings.least_seconds, wait, [&] {
          bounded.Update(bounder->Bound(absl::MakeSpan(domains),
                                        {.iterations = settings.steps, .candidates = 6, .slopes = true}));
        }));
    ESPALIER_RETURN_IF_ERROR(bounded);
    measurements.push_back(std::move(m));
  }
  return measurements;
}

}  // namespace espalier::gpu_check
