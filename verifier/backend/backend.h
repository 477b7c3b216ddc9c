// Backend: the dozen batched primitives that bounding, search and attack are written in, and the memory they
// work on. One implementation per device; tests/conformance runs one suite on each of them against plain
// double loops.
//
//   std::unique_ptr<Backend> cpu = MakeCpuBackend({.threads = 2, .memory_bytes = 0});
//   ESPALIER_ASSIGN_OR_RETURN(auto map, cpu->Prepare(linear_map));
//   ESPALIER_ASSIGN_OR_RETURN(auto lambda, Allocate<float>(*cpu, rows * n));
//   cpu->f32().Backward(*map, rows, lambda.data(), out.data(), /*accumulate=*/false);
//   ESPALIER_RETURN_IF_ERROR(cpu->Synchronise());
//
// Batches are row-major [rows][neurons]. Pointers are device pointers: only Upload and Download may touch
// them from the host side (on the CPU they are plain memory). Primitives enqueue work and return at once;
// they run in order. An error is sticky and is reported by Synchronise(). Allocation fails with
// RESOURCE_EXHAUSTED: the caller halves its batch. A Backend serves one thread at a time, but for the two of
// Both().
//
// A backend that was made with a StopToken polls it before every primitive and inside long ones. Once it
// fires, primitives do nothing, what they should have written is unspecified, and Synchronise() answers
// CANCELLED for good: what a caller reads after a successful Synchronise() was computed in full.
//
// float32 primitives compute in float32 with sums along a row's neurons (Dot, Concretise, intercepts) in
// double; float64 ones in double throughout. No primitive uses reduced-precision products.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/backend/neuron_math.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

class Backend;
class CompactBounder;    // compact.h
class CompactCertifier;  // compact_certifier.h
class Training;          // training.h
struct CompactNetwork;

// Device memory that frees itself. Move-only.
class RawBuffer {
 public:
  RawBuffer() = default;
  RawBuffer(Backend* owner, void* data, int64_t bytes) : owner_(owner), data_(data), bytes_(bytes) {}
  RawBuffer(RawBuffer&& other) noexcept { *this = std::move(other); }
  RawBuffer& operator=(RawBuffer&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~RawBuffer();
  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  Backend* owner_ = nullptr;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(RawBuffer raw) : raw_(std::move(raw)) {}
  T* data() const { return static_cast<T*>(raw_.data()); }
  int64_t size() const { return raw_.bytes() / static_cast<int64_t>(sizeof(T)); }

 private:
  RawBuffer raw_;
};

// A linear map in the form its backend computes with.
class PreparedMap {
 public:
  virtual ~PreparedMap() = default;
  int64_t input_size() const { return input_size_; }
  int64_t output_size() const { return output_size_; }
  // Longest sum that one element of Forward or Backward needs: the n of the rounding allowance γ_n.
  int64_t longest_sum() const { return longest_sum_; }
  // The same of Backward alone, which is shorter where a map has fewer outputs than inputs.
  int64_t longest_backward_sum() const { return backward_sum_ > 0 ? backward_sum_ : longest_sum_; }

 protected:
  int64_t input_size_ = 0, output_size_ = 0, longest_sum_ = 0;
  int64_t backward_sum_ = 0;  // 0: no better one is known than longest_sum_
};

// Which rows of a batch belong to which domain: domain_of_row[r] indexes the per-domain arrays below.
struct RowSet {
  int64_t rows = 0;
  const int32_t* domain_of_row = nullptr;
};

// One activation layer under relaxation. `unstable` neurons are those that may be relaxed in some domain of
// the batch; all others are linear with stable_slope (1 at unstable ones, whose own line is applied apart).
// Arrays "per domain" are [domains][unstable].
template <class T>
struct LayerLines {
  int64_t neurons = 0;
  int64_t unstable = 0;
  const int32_t* index = nullptr;      // [unstable], ascending
  const T* stable_slope = nullptr;     // [neurons]
  const T* intercept = nullptr;        // [neurons], or nullptr when all are zero
  const T* convex = nullptr;           // [unstable], 1: convex (left < right), 0: concave
  const T* chord_slope = nullptr;      // per domain, from Relax
  const T* chord_intercept = nullptr;  // per domain
  const T* free_lo = nullptr;          // per domain
  const T* free_hi = nullptr;          // per domain
  const T* free_start = nullptr;       // per domain
};

// Split constraints of one layer, rows in compressed form: entries begin[r] .. begin[r+1] belong to row r. A
// split with sign +1 says x >= 0, -1 says x <= 0. beta >= 0 are its multipliers (Wang et al. 2021, β-CROWN,
// eq. (8)).
template <class T>
struct SplitRows {
  const int32_t* begin = nullptr;  // [rows + 1]; nullptr: no splits
  const int32_t* neuron = nullptr;
  const T* sign = nullptr;
  T* beta = nullptr;
  T* first_moment = nullptr;
  T* second_moment = nullptr;
};

// Adam with projection. step counts from 1.
struct AdamStep {
  double alpha_rate = 0.1;
  double beta_rate = 0.05;
  int64_t step = 1;
};

// Per-row free slopes and their optimiser state, each [rows][unstable].
template <class T>
struct SlopeState {
  T* alpha = nullptr;  // nullptr: free_start of the row's domain
  T* first_moment = nullptr;
  T* second_moment = nullptr;
};

// What one pass may learn: slopes and multipliers.
template <class T>
struct Learned {
  SlopeState<T> slopes;
  SplitRows<T> splits;
};

// Signed unit rows: row r is sign[r] times neuron[r].
template <class T>
struct UnitRows {
  int64_t rows = 0;
  const int32_t* neuron = nullptr;
  const T* sign = nullptr;
};

// Per-row sums: constants go to acc[r]; factor * their absolute values to error[r] (null: not wanted).
struct RowSums {
  double* acc = nullptr;
  double* error = nullptr;
  double factor = 0;
};

// Hinges [n] and the bounds of their inputs [domains][n].
template <class T>
struct HingeBounds {
  const T *left = nullptr, *right = nullptr, *lower = nullptr, *upper = nullptr;
};

// The five per-domain arrays of LayerLines, to be written.
template <class T>
struct LineArrays {
  T *chord_slope = nullptr, *chord_intercept = nullptr, *free_lo = nullptr, *free_hi = nullptr,
    *free_start = nullptr;
};

template <class T>
struct BoxArrays {
  const T *lower = nullptr, *upper = nullptr;  // [domains][n]
};

template <class T>
struct IntervalArrays {
  T *lower = nullptr, *upper = nullptr;  // [rows][n], to be written
};

template <class T>
struct CentreArrays {
  const T *centre = nullptr, *radius = nullptr;  // [rows][n]
};

// Where a minimum over a box goes: its value per row, and the corner that attains it (null: not wanted).
template <class T>
struct Minimum {
  double* bound = nullptr;
  T* corner = nullptr;
};

template <class T>
class Kernels {
 public:
  virtual ~Kernels() = default;

  // y[rows][out] (+)= x[rows][in] W^T  and  out[rows][in] (+)= lambda[rows][out] W.
  virtual void Forward(const PreparedMap& map, int64_t rows, const T* x, T* y, bool accumulate) = 0;
  virtual void Backward(const PreparedMap& map, int64_t rows, const T* lambda, T* out, bool accumulate) = 0;
  // out[r][:] (+)= sign[r] * W[neuron[r]][:]: Backward of signed unit rows.
  virtual void BackwardUnit(const PreparedMap& map, const UnitRows<T>& unit, T* out, bool accumulate) = 0;

  // acc[r] += sum_j lambda[r][j] * vec[j];  and acc[r] += factor * sum_j |lambda[r][j]| * vec[j]
  virtual void Dot(int64_t rows, int64_t n, const T* lambda, const T* vec, double* acc) = 0;
  virtual void AbsDot(int64_t rows, int64_t n, const T* lambda, const T* vec, double factor, double* acc) = 0;
  // acc[r] += sign[r] * vec[neuron[r]]; with |.| and factor when abs
  virtual void DotUnit(const UnitRows<T>& unit, const T* vec, double factor, bool abs, double* acc) = 0;
  // out[r][:] += in[r][:];  out[r][:] = vec[:];  out = value
  virtual void Add(int64_t count, const T* in, T* out) = 0;
  virtual void FillRows(int64_t rows, int64_t n, const T* vec, T* out) = 0;
  virtual void Fill(int64_t count, T value, T* out) = 0;
  // out[r][:] = table[domain_of_row[r]][:], rows of n
  virtual void GatherRows(const RowSet& rows, int64_t n, const T* table, T* out) = 0;

  // Lines from bounds, for every domain's unstable neurons.
  virtual void Relax(int64_t domains, int64_t unstable, const HingeBounds<T>& bounds,
                     const LineArrays<T>& lines) = 0;

  // Backward through an activation, in place on lambda[rows][neurons]. `saved`, when given, receives the
  // incoming coefficients at unstable neurons [rows][unstable]. Splits subtract beta * sign at their neuron.
  virtual void ApplyLines(const RowSet& rows, const LayerLines<T>& layer, const Learned<T>& learned,
                          T* lambda, T* saved, const RowSums& sums) = 0;

  // Lower bound over the box of the row's domain: bound[r] = acc[r] + sum_j min(lambda*lower, lambda*upper);
  // error += factor * (|acc| + sum |lambda| max(|l|,|u|)). acc itself is left as it is.
  virtual void Concretise(const RowSet& rows, int64_t n, const T* lambda, const BoxArrays<T>& box,
                          const RowSums& sums, const Minimum<T>& minimum) = 0;

  // Forward through the lines that the backward pass chose (by the sign of `saved`), in place on
  // z[rows][neurons] (pre-activations in, post-activations out), and, when the slopes' first_moment is given,
  // one Adam ascent step on the free slopes ([saved]·z at chosen free lines) and on the splits' multipliers
  // (-sign·z).
  virtual void StepThroughLines(const RowSet& rows, const LayerLines<T>& layer, const T* saved,
                                const Learned<T>& learned, const AdamStep& step, T* z) = 0;

  // Copies row r of from[rows][n] to `to` for every row with bound[r] > best[r].
  virtual void KeepBest(int64_t rows, int64_t n, const double* bound, const double* best, const T* from,
                        T* to) = 0;
  // The same for compressed rows (split multipliers): entries begin[r] .. begin[r+1].
  virtual void KeepBestSplits(int64_t rows, const int32_t* begin, const double* bound, const double* best,
                              const T* from, T* to) = 0;

  // Branching scores per unstable neuron of each row's domain, [rows][unstable]; stable ones get 0. The
  // estimated improvement of the bound when the neuron is split (Bunel et al. 2020, BaBSR): from the saved
  // coefficients.
  virtual void Score(const RowSet& rows, const LayerLines<T>& layer, const T* saved, T* score) = 0;

  // Hinge evaluation: z <- f(z), slope <- f'(z) (may be null).
  virtual void Hinge(int64_t rows, int64_t n, const HingeArrays<T>& hinge, T* z, T* slope) = 0;
  virtual void Multiply(int64_t count, const T* in, T* out) = 0;  // out *= in

  // Interval arithmetic in centre-radius form, element by element; `slack` is a relative rounding allowance.
  // centre = (l+u)/2, radius covers [l,u] and grows by slack * (|centre| + radius).
  virtual void ToCentre(int64_t count, const T* lower, const T* upper, T slack, T* centre, T* radius) = 0;
  // Adds bias[n] to the centre rows and writes lower/upper, outward by slack * (|centre| + radius + |bias|).
  virtual void FromCentre(int64_t rows, int64_t n, const CentreArrays<T>& from, const T* bias, T slack,
                          const IntervalArrays<T>& to) = 0;
  // Image of [lower, upper] under the hinge, in place, outward by slack.
  virtual void HingeInterval(int64_t rows, int64_t n, const HingeArrays<T>& hinge, T slack,
                             const IntervalArrays<T>& interval) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual absl::StatusOr<RawBuffer> AllocateBytes(int64_t bytes) = 0;
  virtual void Free(void* data, int64_t bytes) = 0;
  virtual void Upload(const void* host, int64_t bytes, void* device) = 0;
  virtual void Download(const void* device, int64_t bytes, void* host) = 0;
  virtual absl::Status Synchronise() = 0;

  virtual absl::StatusOr<std::shared_ptr<const PreparedMap>> Prepare(const ir::LinearMapPtr& map) = 0;
  // The same map with |coefficients|.
  virtual absl::StatusOr<std::shared_ptr<const PreparedMap>> PrepareAbs(const ir::LinearMapPtr& map) = 0;

  // out[i] = in[i]
  virtual void Widen(int64_t count, const float* in, double* out) = 0;

  virtual Kernels<float>& f32() = 0;
  virtual Kernels<double>& f64() = 0;
  virtual Training& training() = 0;

  // For bounding many domains of one root (compact.h); lives no longer than the backend. UNIMPLEMENTED where
  // the device has nothing better than the primitives, RESOURCE_EXHAUSTED without memory for it.
  virtual absl::StatusOr<std::unique_ptr<CompactBounder>> MakeCompact(const CompactNetwork& network);
  // The same for closing them (compact_certifier.h).
  virtual absl::StatusOr<std::unique_ptr<CompactCertifier>> MakeCompactCertifier(
      const CompactNetwork& network);

  // Runs both, on half of the threads each and at the same time where the device can; the backend's own calls
  // and those of what it has made may come from both then. The first error. Where the first one fails, the
  // second may not run.
  virtual absl::Status Both(absl::FunctionRef<absl::Status()> first,
                            absl::FunctionRef<absl::Status()> second);

  virtual int64_t bytes_in_use() const = 0;
  virtual int64_t threads() const = 0;

  // Seconds on the device's own clock from the last call until all that is queued now is done, which is
  // waited for. 0 the first time, and always on devices whose batches are not to depend on time.
  virtual double Lap() { return 0; }

  // Who works in smaller pieces for want of memory says so, by the name of a counter of the run's statistics.
  void NoteShortage(const std::string& counter) {
    std::lock_guard lock(shortages_mutex_);
    ++shortages_[counter];
  }
  // Since this was asked last.
  std::map<std::string, int64_t> TakeShortages() {
    std::lock_guard lock(shortages_mutex_);
    return std::exchange(shortages_, {});
  }

 private:
  std::mutex shortages_mutex_;
  std::map<std::string, int64_t> shortages_;
};

inline RawBuffer::~RawBuffer() {
  if (owner_ != nullptr) owner_->Free(data_, bytes_);
}

template <class T>
absl::StatusOr<Buffer<T>> Allocate(Backend& backend, int64_t count) {
  absl::StatusOr<RawBuffer> raw =
      backend.AllocateBytes((count > 0 ? count : 1) * static_cast<int64_t>(sizeof(T)));
  if (!raw.ok()) return raw.status();
  return Buffer<T>(*std::move(raw));
}

template <class T>
Kernels<T>& KernelsOf(Backend& backend) {
  if constexpr (std::is_same_v<T, float>) {
    return backend.f32();
  } else {
    return backend.f64();
  }
}

struct CpuOptions {
  int64_t threads = 0;       // 0: all processors
  int64_t memory_bytes = 0;  // 0: no budget of its own
  StopToken stop = {};       // ends all work with CANCELLED; never: the default
};

// oneDNN (float32) and OpenBLAS (float64) with OpenMP. Checks its GEMM and convolutions against plain loops
// when it is made (milliseconds): INTERNAL when they disagree.
absl::StatusOr<std::unique_ptr<Backend>> MakeCpuBackend(const CpuOptions& options);

}  // namespace espalier::backend
