// The CPU backend: rows in parallel by OpenMP, maps by oneDNN and OpenBLAS, row kernels by instruction set.
#include <cblas.h>
#include <omp.h>

#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/cpu_compact.h"
#include "verifier/backend/cpu_compact_certifier.h"
#include "verifier/backend/cpu_map.h"
#include "verifier/backend/cpu_memory.h"
#include "verifier/backend/cpu_rowwise.h"
#include "verifier/backend/cpu_self_check.h"
#include "verifier/backend/cpu_state.h"
#include "verifier/backend/cpu_training.h"
#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

// An empty buffer has no address, and memcpy must not be given one that is null even for no bytes.
void CopyBytes(const void* from, int64_t bytes, void* to) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

template <class T>
void CopyRow(const T* from, int64_t n, T* to) {
  CopyBytes(from, n * static_cast<int64_t>(sizeof(T)), to);
}

// Work of one slice of a product, between two looks at the stop token, and its fewest rows.
template <class T>
constexpr double kSliceFlops = std::is_same_v<T, float> ? 1e9 : 2.5e8;
constexpr int64_t kFewestRowsInASlice = 8;

template <class T>
class CpuKernels final : public Kernels<T> {
 public:
  explicit CpuKernels(CpuState& state) : state_(state), table_(BestRowwiseTable<T>()) {}

  void Forward(const PreparedMap& map, int64_t rows, const T* x, T* y, bool accumulate) override {
    const int64_t in = map.input_size(), out = map.output_size();
    InSlices(map, rows, [&](int64_t begin, int64_t count, CpuScratch& scratch) {
      return static_cast<const CpuMap&>(map).Forward(count, x + begin * in, y + begin * out, accumulate,
                                                     scratch);
    });
  }
  void Backward(const PreparedMap& map, int64_t rows, const T* lambda, T* out, bool accumulate) override {
    const int64_t to = map.input_size(), from = map.output_size();
    InSlices(map, rows, [&](int64_t begin, int64_t count, CpuScratch& scratch) {
      return static_cast<const CpuMap&>(map).Backward(count, lambda + begin * from, out + begin * to,
                                                      accumulate, scratch);
    });
  }
  void BackwardUnit(const PreparedMap& map, const UnitRows<T>& unit, T* out, bool accumulate) override {
    const auto& cpu = static_cast<const CpuMap&>(map);
    const int64_t n = map.input_size();
    state_.ForRows(unit.rows, n, [&](int64_t r) {
      if (!accumulate) std::memset(out + r * n, 0, static_cast<size_t>(n) * sizeof(T));
      cpu.AddRow(unit.neuron[r], unit.sign[r], out + r * n);
    });
  }

  void Dot(int64_t rows, int64_t n, const T* lambda, const T* vec, double* acc) override {
    state_.ForRows(rows, n, [&](int64_t r) { acc[r] += table_.dot(n, lambda + r * n, vec); });
  }
  void AbsDot(int64_t rows, int64_t n, const T* lambda, const T* vec, double factor, double* acc) override {
    state_.ForRows(rows, n, [&](int64_t r) { acc[r] += factor * table_.abs_dot(n, lambda + r * n, vec); });
  }
  void DotUnit(const UnitRows<T>& unit, const T* vec, double factor, bool abs, double* acc) override {
    for (int64_t r = 0; r < unit.rows; ++r) {
      const double term = static_cast<double>(unit.sign[r]) * static_cast<double>(vec[unit.neuron[r]]);
      acc[r] += factor * (abs ? std::fabs(term) : term);
    }
  }

  void Add(int64_t count, const T* in, T* out) override {
    state_.ForPieces(count, [&](int64_t begin, int64_t size) { table_.add(size, in + begin, out + begin); });
  }
  void FillRows(int64_t rows, int64_t n, const T* vec, T* out) override {
    state_.ForRows(rows, n, [&](int64_t r) { CopyRow(vec, n, out + r * n); });
  }
  void Fill(int64_t count, T value, T* out) override {
    state_.ForPieces(count, [&](int64_t begin, int64_t size) { std::fill_n(out + begin, size, value); });
  }

  void GatherRows(const RowSet& rows, int64_t n, const T* table, T* out) override {
    state_.ForRows(rows.rows, n,
                   [&](int64_t r) { CopyRow(table + rows.domain_of_row[r] * n, n, out + r * n); });
  }

  void Relax(int64_t domains, int64_t unstable, const HingeBounds<T>& b, const LineArrays<T>& out) override {
    state_.ForRows(domains, unstable, [&](int64_t d) {
      const int64_t at = d * unstable;
      T* const lines[5] = {out.chord_slope + at, out.chord_intercept + at, out.free_lo + at, out.free_hi + at,
                           out.free_start + at};
      table_.relax(unstable, b.left, b.right, b.lower + at, b.upper + at, lines);
    });
  }

  void ApplyLines(const RowSet& rows, const LayerLines<T>& layer, const Learned<T>& learned, T* lambda,
                  T* saved, const RowSums& sums) override {
    const T* alpha = learned.slopes.alpha;
    const SplitRows<T>& splits = learned.splits;
    state_.ForRows(rows.rows, layer.neurons, [&](int64_t r) {
      const RowLines<T> row = RowView(rows, layer, r);
      T* coefficients = lambda + r * layer.neurons;
      double magnitude = 0;
      sums.acc[r] +=
          table_.apply_lines(row, alpha == nullptr ? nullptr : alpha + r * layer.unstable, coefficients,
                             saved == nullptr ? nullptr : saved + r * layer.unstable, &magnitude);
      if (sums.error != nullptr) sums.error[r] += sums.factor * magnitude;
      if (splits.begin == nullptr) return;
      for (int32_t k = splits.begin[r]; k < splits.begin[r + 1]; ++k) {
        coefficients[splits.neuron[k]] -= splits.beta[k] * splits.sign[k];
      }
    });
  }

  void Concretise(const RowSet& rows, int64_t n, const T* lambda, const BoxArrays<T>& box,
                  const RowSums& sums, const Minimum<T>& minimum) override {
    state_.ForRows(rows.rows, n, [&](int64_t r) {
      const int64_t at = rows.domain_of_row[r] * n;
      double magnitude = 0;
      minimum.bound[r] =
          sums.acc[r] + table_.concretise(n, lambda + r * n, box.lower + at, box.upper + at,
                                          minimum.corner == nullptr ? nullptr : minimum.corner + r * n,
                                          sums.error == nullptr ? nullptr : &magnitude);
      if (sums.error != nullptr) sums.error[r] += sums.factor * (magnitude + std::fabs(sums.acc[r]));
    });
  }

  void StepThroughLines(const RowSet& rows, const LayerLines<T>& layer, const T* saved,
                        const Learned<T>& learned, const AdamStep& step, T* z) override {
    const SlopeState<T>& slopes = learned.slopes;
    const SplitRows<T>& splits = learned.splits;
    const auto t = static_cast<double>(step.step);
    const auto correction1 = static_cast<T>(1.0 / (1.0 - std::pow(0.9, t)));
    const auto correction2 = static_cast<T>(1.0 / (1.0 - std::pow(0.999, t)));
    const bool learn = slopes.first_moment != nullptr;
    state_.ForRows(rows.rows, 2 * layer.neurons, [&](int64_t r) {
      T* values = z + r * layer.neurons;
      if (splits.begin != nullptr && splits.first_moment != nullptr) {
        StepSplits(splits, r, values, static_cast<T>(step.beta_rate), correction1, correction2);
      }
      const int64_t at = r * layer.unstable;
      const RowAdam<T> adam{slopes.alpha == nullptr ? nullptr : slopes.alpha + at,
                            learn ? slopes.first_moment + at : nullptr,
                            learn ? slopes.second_moment + at : nullptr,
                            static_cast<T>(step.alpha_rate),
                            correction1,
                            correction2};
      table_.step(RowView(rows, layer, r), saved + at, adam, values);
    });
  }

  void KeepBest(int64_t rows, int64_t n, const double* bound, const double* best, const T* from,
                T* to) override {
    state_.ForRows(rows, n, [&](int64_t r) {
      if (bound[r] > best[r]) CopyRow(from + r * n, n, to + r * n);
    });
  }

  void KeepBestSplits(int64_t rows, const int32_t* begin, const double* bound, const double* best,
                      const T* from, T* to) override {
    for (int64_t r = 0; r < rows; ++r) {
      if (bound[r] > best[r]) std::copy(from + begin[r], from + begin[r + 1], to + begin[r]);
    }
  }

  void Score(const RowSet& rows, const LayerLines<T>& layer, const T* saved, T* score) override {
    state_.ForRows(rows.rows, layer.unstable, [&](int64_t r) {
      table_.score(RowView(rows, layer, r), saved + r * layer.unstable, score + r * layer.unstable);
    });
  }

  void Hinge(int64_t rows, int64_t n, const HingeArrays<T>& hinge, T* z, T* slope) override {
    state_.ForRows(rows, n, [&](int64_t r) {
      table_.hinge(n, hinge.left, hinge.right, hinge.intercept, z + r * n,
                   slope == nullptr ? nullptr : slope + r * n);
    });
  }
  void ToCentre(int64_t count, const T* lower, const T* upper, T slack, T* centre, T* radius) override {
    for (int64_t i = 0; i < count; ++i) {
      const T c = T(0.5) * lower[i] + T(0.5) * upper[i];
      const T r = std::max(upper[i] - c, c - lower[i]);
      centre[i] = c;
      radius[i] = r + slack * (std::fabs(c) + r);
    }
  }
  void FromCentre(int64_t rows, int64_t n, const CentreArrays<T>& from, const T* bias, T slack,
                  const IntervalArrays<T>& to) override {
    state_.ForRows(rows, n, [&](int64_t r) {
      for (int64_t i = 0; i < n; ++i) {
        const Ends<T> ends = EndsOf(from.centre[r * n + i], from.radius[r * n + i], bias[i], slack);
        to.lower[r * n + i] = ends.lower;
        to.upper[r * n + i] = ends.upper;
      }
    });
  }
  void HingeInterval(int64_t rows, int64_t n, const HingeArrays<T>& hinge, T slack,
                     const IntervalArrays<T>& interval) override {
    state_.ForRows(rows, n, [&](int64_t r) {
      for (int64_t i = 0; i < n; ++i) {
        T &lower = interval.lower[r * n + i], &upper = interval.upper[r * n + i];
        const Ends<T> ends =
            ImageOfHinge(hinge.left[i], hinge.right[i], hinge.intercept[i], Ends<T>{lower, upper}, slack);
        lower = ends.lower;
        upper = ends.upper;
      }
    });
  }

  void Multiply(int64_t count, const T* in, T* out) override {
    state_.ForPieces(count,
                     [&](int64_t begin, int64_t size) { table_.multiply(size, in + begin, out + begin); });
  }

 private:
  // A product of many rows as several of at most some 10 ms each, so that a stop is noticed in between.
  template <class Product>
  void InSlices(const PreparedMap& map, int64_t rows, Product product) {
    const double flops_per_row = 2.0 * static_cast<double>(std::min(map.input_size(), map.output_size())) *
                                 static_cast<double>(map.longest_sum());
    int64_t slice = kFewestRowsInASlice;
    while (slice < rows && 2.0 * static_cast<double>(slice) * flops_per_row <= kSliceFlops<T>) slice *= 2;
    state_.scratch.With([&](CpuScratch& scratch) {
      for (int64_t begin = 0; begin < rows && state_.Going(); begin += slice) {
        state_.Note(product(begin, std::min(slice, rows - begin), scratch));
      }
    });
  }

  static RowLines<T> RowView(const RowSet& rows, const LayerLines<T>& layer, int64_t r) {
    const int64_t at = rows.domain_of_row[r] * layer.unstable;
    return {layer.neurons,
            layer.unstable,
            layer.index,
            layer.stable_slope,
            layer.intercept,
            layer.convex,
            layer.chord_slope + at,
            layer.chord_intercept + at,
            layer.free_lo + at,
            layer.free_hi + at,
            layer.free_start + at};
  }

  static void StepSplits(const SplitRows<T>& s, int64_t r, const T* z, T rate, T correction1, T correction2) {
    for (int32_t k = s.begin[r]; k < s.begin[r + 1]; ++k) {
      const T gradient = -s.sign[k] * z[s.neuron[k]];
      const T step =
          AdamMove(gradient, {rate, correction1, correction2}, s.first_moment + k, s.second_moment + k);
      s.beta[k] = std::max(T(0), s.beta[k] + step);
    }
  }

  CpuState& state_;
  const RowwiseTable<T>& table_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const CpuOptions& options, int64_t threads)
      : memory_(options.memory_bytes),
        state_(threads, options.stop),
        f32_(state_),
        f64_(state_),
        training_(*this, state_, checked_) {}

  absl::StatusOr<RawBuffer> AllocateBytes(int64_t bytes) override {
    ESPALIER_ASSIGN_OR_RETURN(void* data, memory_.Allocate(bytes));
    return RawBuffer(this, data, bytes);
  }
  void Free(void* data, int64_t bytes) override { memory_.Free(data, bytes); }
  void Upload(const void* host, int64_t bytes, void* device) override { CopyBytes(host, bytes, device); }
  void Download(const void* device, int64_t bytes, void* host) override { CopyBytes(device, bytes, host); }
  absl::Status Synchronise() override { return state_.status(); }

  absl::StatusOr<std::shared_ptr<const PreparedMap>> Prepare(const ir::LinearMapPtr& map) override {
    if (!state_.Going()) return state_.status();
    ESPALIER_RETURN_IF_ERROR(checked_.ForMap(*map));
    return MakeCpuMap(map, false);
  }
  absl::StatusOr<std::shared_ptr<const PreparedMap>> PrepareAbs(const ir::LinearMapPtr& map) override {
    if (!state_.Going()) return state_.status();
    return MakeCpuMap(map, true);
  }

  void Widen(int64_t count, const float* in, double* out) override { std::copy(in, in + count, out); }

  Kernels<float>& f32() override { return f32_; }
  Kernels<double>& f64() override { return f64_; }
  Training& training() override { return training_; }
  absl::StatusOr<std::unique_ptr<CompactBounder>> MakeCompact(const CompactNetwork& network) override {
    return MakeCpuCompact(network, *this, state_);
  }
  absl::StatusOr<std::unique_ptr<CompactCertifier>> MakeCompactCertifier(
      const CompactNetwork& network) override {
    return MakeCpuCertifier(network, *this, state_);
  }
  absl::Status Both(absl::FunctionRef<absl::Status()> first,
                    absl::FunctionRef<absl::Status()> second) override {
    const auto team = static_cast<int>(state_.Team());
    const int before = omp_get_max_threads();
    if (team < 2) return Backend::Both(first, second);
    absl::Status beside;
    std::thread other([&] {
      omp_set_num_threads(team / 2);
      beside = second();
    });
    omp_set_num_threads(team - team / 2);
    absl::Status own = first();
    other.join();
    omp_set_num_threads(before);
    return own.ok() ? beside : own;
  }
  int64_t bytes_in_use() const override { return memory_.in_use(); }
  int64_t threads() const override { return state_.threads; }

 private:
  CpuMemory memory_;
  CpuState state_;
  CpuKernels<float> f32_;
  CpuKernels<double> f64_;
  CpuSelfCheck checked_;
  CpuTraining training_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeCpuBackend(const CpuOptions& options) {
  const int64_t threads = options.threads > 0 ? options.threads : omp_get_num_procs();
  // Rows are shared out here (cpu_map.cc), and the library's own count is one for all threads. It sets
  // OpenMP's.
  openblas_set_num_threads(1);
  omp_set_num_threads(static_cast<int>(threads));  // of the calling thread's parallel regions
  return std::make_unique<CpuBackend>(options, threads);
}

}  // namespace espalier::backend
