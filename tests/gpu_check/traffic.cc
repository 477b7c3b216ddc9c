#include "tests/gpu_check/traffic.h"

#include <algorithm>
#include <utility>

#include "cuda_kernels/cuda_backend.h"
#include "cuda_kernels/state.h"

namespace espalier::gpu_check {
namespace {

using backend::Buffer;

template <class T>
absl::StatusOr<Buffer<T>> From(backend::Backend& backend, const std::vector<T>& values) {
  const auto count = static_cast<int64_t>(values.size());
  ESPALIER_ASSIGN_OR_RETURN(Buffer<T> buffer, backend::Allocate<T>(backend, count));
  backend.Upload(values.data(), count * static_cast<int64_t>(sizeof(T)), buffer.data());
  return buffer;
}

// An activation layer of which every third neuron is unstable in every domain, and what a step learns there.
class Layer {
 public:
  absl::Status Make(backend::Backend& backend, int64_t row_count, int64_t neuron_count) {
    rows = row_count, neurons = neuron_count, unstable = neuron_count / 3;
    std::vector<int32_t> domain(static_cast<size_t>(rows)), unstable_index;
    for (size_t r = 0; r < domain.size(); ++r) domain[r] = static_cast<int32_t>(r);
    for (int64_t j = 0; j < unstable; ++j) unstable_index.push_back(static_cast<int32_t>(3 * j + 1));
    ESPALIER_ASSIGN_OR_RETURN(domain_, From(backend, domain));
    ESPALIER_ASSIGN_OR_RETURN(index_, From(backend, unstable_index));
    const auto n = static_cast<size_t>(neurons), u = static_cast<size_t>(unstable);
    ESPALIER_ASSIGN_OR_RETURN(ones_, From(backend, std::vector<float>(n, 1.0f)));
    ESPALIER_ASSIGN_OR_RETURN(zeros_, From(backend, std::vector<float>(u, 0.0f)));
    for (Buffer<float>& own : per_row_) {
      ESPALIER_ASSIGN_OR_RETURN(own, backend::Allocate<float>(backend, rows * unstable));
      backend.f32().Fill(rows * unstable, 0.25f, own.data());
    }
    for (Buffer<float>& wide : wide_) {
      ESPALIER_ASSIGN_OR_RETURN(wide, Noise<float>(backend, rows * neurons));
    }
    ESPALIER_ASSIGN_OR_RETURN(acc_, From(backend, std::vector<double>(domain.size(), 0.0)));
    ESPALIER_ASSIGN_OR_RETURN(better_, From(backend, std::vector<double>(domain.size(), 1.0)));
    return backend.Synchronise();
  }

  float* row(size_t i) const { return per_row_[i].data(); }
  float* wide(size_t i) const { return wide_[i].data(); }
  backend::RowSet row_set() const { return {rows, domain_.data()}; }
  backend::LayerLines<float> lines() const {
    return {neurons, unstable, index_.data(), ones_.data(), nullptr, ones_.data(),
            row(0),  row(1),   row(2),        row(3),       row(4)};
  }
  backend::Learned<float> learned() const { return {{row(5), row(6), row(7)}, {}}; }

  int64_t rows = 0, neurons = 0, unstable = 0;
  Buffer<float> ones_, zeros_;
  Buffer<double> acc_, better_;

 private:
  Buffer<int32_t> domain_, index_;
  Buffer<float> per_row_[9];  // the lines' five arrays, slopes and their moments, one more
  Buffer<float> wide_[3];     // coefficients, and the two ends of a box
};

class Bench {
 public:
  Bench(backend::Backend& backend, const Layer& layer, double least, double copy_rate)
      : backend_(backend), layer_(layer), least_(least), copy_rate_(copy_rate) {}

  // Bytes: what has to be read and written once, in units of a number per unstable neuron and per neuron.
  template <class Run>
  absl::Status Measure(const char* name, double per_unstable, double per_neuron, Run run) {
    const double numbers = per_unstable * static_cast<double>(layer_.unstable) +
                           per_neuron * static_cast<double>(layer_.neurons);
    Measurement m;
    m.name = name;
    m.rows = layer_.rows;
    m.bytes = numbers * 4 * static_cast<double>(layer_.rows);
    m.limit_seconds = m.bytes / copy_rate_;
    ESPALIER_ASSIGN_OR_RETURN(m.seconds, SecondsOf(
                                             least_, [this] { return backend_.Synchronise(); }, run));
    measurements_.push_back(std::move(m));
    return absl::OkStatus();
  }
  std::vector<Measurement> Take() { return std::move(measurements_); }

 private:
  backend::Backend& backend_;
  const Layer& layer_;
  double least_, copy_rate_;
  std::vector<Measurement> measurements_;
};

absl::Status MeasureKernels(backend::Backend& backend, const Layer& l, Bench& bench) {
  backend::Kernels<float>& k = backend.f32();
  const int64_t wide = l.rows * l.neurons;
  const backend::RowSums sums{l.acc_.data(), nullptr, 0};
  // Per unstable neuron: what is saved, the coefficient again, chord slope and intercept or the free slope
  // and its limits, according to the coefficient's sign: half of each.
  ESPALIER_RETURN_IF_ERROR(bench.Measure("ApplyLines", 3 + 2.5, 2, [&] {
    k.ApplyLines(l.row_set(), l.lines(), l.learned(), l.wide(0), l.row(8), sums);
  }));
  ESPALIER_RETURN_IF_ERROR(bench.Measure("StepThroughLines", 3 + 2.5 + 2 + 4 + 1, 2, [&] {
    k.StepThroughLines(l.row_set(), l.lines(), l.row(8), l.learned(), {}, l.wide(0));
  }));
  ESPALIER_RETURN_IF_ERROR(bench.Measure("Concretise", 0, 4, [&] {
    k.Concretise(l.row_set(), l.neurons, l.wide(0), {l.wide(1), l.wide(2)}, sums,
                 {l.better_.data(), l.wide(0)});
  }));
  ESPALIER_RETURN_IF_ERROR(bench.Measure("Relax", 7, 0, [&] {
    k.Relax(l.rows, l.unstable, {l.zeros_.data(), l.ones_.data(), l.row(7), l.row(8)},
            {l.row(0), l.row(1), l.row(2), l.row(3), l.row(4)});
  }));
  ESPALIER_RETURN_IF_ERROR(
      bench.Measure("Score", 5, 0, [&] { k.Score(l.row_set(), l.lines(), l.row(8), l.row(7)); }));
  ESPALIER_RETURN_IF_ERROR(bench.Measure(
      "Dot", 0, 1, [&] { k.Dot(l.rows, l.neurons, l.wide(0), l.ones_.data(), l.acc_.data()); }));
  ESPALIER_RETURN_IF_ERROR(bench.Measure("Add", 0, 3, [&] { k.Add(wide, l.wide(1), l.wide(0)); }));
  return bench.Measure("GatherRows", 0, 2,
                       [&] { k.GatherRows(l.row_set(), l.neurons, l.wide(1), l.wide(0)); });
}

// Bytes a second, read and written, of the driver's copy from one buffer of the card to another.
absl::StatusOr<double> CopyRate(const TrafficSettings& settings, int64_t bytes) {
  ESPALIER_ASSIGN_OR_RETURN(
      const auto state, cuda_kernels::CudaState::Make(settings.device, 2 * bytes + (1 << 20), StopToken()));
  ESPALIER_ASSIGN_OR_RETURN(const auto from, cuda_kernels::DeviceArray<char>::Of(state, bytes));
  ESPALIER_ASSIGN_OR_RETURN(const auto to, cuda_kernels::DeviceArray<char>::Of(state, bytes));
  const auto wait = [&] { return state->Synchronise(); };
  ESPALIER_ASSIGN_OR_RETURN(const double seconds, SecondsOf(settings.least_seconds, wait, [&] {
                              state->Note(cudaMemcpyAsync(to.data(), from.data(), static_cast<size_t>(bytes),
                                                          cudaMemcpyDeviceToDevice, state->stream()),
                                          "copying");
                            }));
  return 2 * static_cast<double>(bytes) / seconds;
}

}  // namespace

absl::StatusOr<Traffic> MeasureTraffic(const TrafficSettings& settings) {
  Traffic traffic;
  ESPALIER_ASSIGN_OR_RETURN(traffic.copy_bytes_per_second,
                            CopyRate(settings, settings.rows * settings.neurons * 4));
  ESPALIER_ASSIGN_OR_RETURN(const auto backend, cuda_kernels::MakeCudaBackend({.device = settings.device}));
  Layer layer;
  ESPALIER_RETURN_IF_ERROR(layer.Make(*backend, settings.rows, settings.neurons));
  Bench bench(*backend, layer, settings.least_seconds, traffic.copy_bytes_per_second);
  ESPALIER_RETURN_IF_ERROR(MeasureKernels(*backend, layer, bench));
  traffic.kernels = bench.Take();
  return traffic;
}

}  // namespace espalier::gpu_check
