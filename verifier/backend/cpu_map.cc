#include "verifier/backend/cpu_map.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/backend/cpu_conv_patches.h"
#include "verifier/backend/cpu_onednn.h"
#include "verifier/ir/compose.h"
#include "verifier/ir/map_forms.h"

namespace espalier::backend {
namespace {

// Large enough for oneDNN's products.
bool IsLarge(const ir::DenseMap& map) {
  return map.weights.size() >= (size_t{1} << 16);
}

double Coefficient(double value, bool absolute) {
  return absolute ? std::fabs(value) : value;
}

template <class T>
void AddTo(int64_t count, const T* in, T* out) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < count; ++i) out[i] += in[i];
}

// Rows split between the threads, each with the library in its single-threaded mode: one parallel region a
// product, and no second thread pool. Small products stay on the calling thread.
template <class Body>
void ByRowBlocks(int64_t rows, double flops_per_row, Body body) {
  if (rows < 2 || static_cast<double>(rows) * flops_per_row < 4e5) {
    body(0, rows);
    return;
  }
#pragma omp parallel
  {
    const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
    const int64_t begin = rows * me / team, end = rows * (me + 1) / team;
    if (end > begin) body(begin, end - begin);
  }
}

// Kernel elements, of those along one side, that meet one pixel of the big image at most: they differ by a
// multiple of the stride.
int64_t Taps(int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t apart = stride / std::gcd(stride, dilation);
  return (kernel + apart - 1) / apart;
}

// Gives each map class its float and double entry points from one template, so that each map is written once.
template <class Derived>
class CpuMapBase : public CpuMap {
 public:
  absl::Status Forward(int64_t rows, const float* x, float* y, bool accumulate,
                       CpuScratch& s) const override {
    return self().template ForwardT<float>(rows, x, y, accumulate, s);
  }
  absl::Status Forward(int64_t rows, const double* x, double* y, bool accumulate,
                       CpuScratch& s) const override {
    return self().template ForwardT<double>(rows, x, y, accumulate, s);
  }
  absl::Status Backward(int64_t rows, const float* l, float* out, bool accumulate,
                        CpuScratch& s) const override {
    return self().template BackwardT<float>(rows, l, out, accumulate, s);
  }
  absl::Status Backward(int64_t rows, const double* l, double* out, bool accumulate,
                        CpuScratch& s) const override {
    return self().template BackwardT<double>(rows, l, out, accumulate, s);
  }
  void AddRow(int64_t neuron, float sign, float* out) const override {
    self().template AddRowT<float>(neuron, sign, out);
  }
  void AddRow(int64_t neuron, double sign, double* out) const override {
    self().template AddRowT<double>(neuron, sign, out);
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

// Float64 coefficients are the network's own; what |W| needs beyond one vector's product is made when it is
// asked for: intervals and magnitudes of one box never do.
class DenseCpuMap : public CpuMapBase<DenseCpuMap> {
 public:
  DenseCpuMap(std::shared_ptr<const ir::DenseMap> map, bool absolute)
      : map_(std::move(map)),
        rows_(map_->rows),
        cols_(map_->cols),
        absolute_(absolute),
        onednn_(IsLarge(*map_)) {
    input_size_ = cols_;
    output_size_ = rows_;
    longest_sum_ = std::max(rows_, cols_);
    backward_sum_ = rows_;
    if (!absolute) f32_.assign(map_->weights.begin(), map_->weights.end());
  }

  template <class T>
  absl::Status ForwardT(int64_t rows, const T* x, T* y, bool accumulate, CpuScratch&) const {
    if (std::is_same_v<T, double> && absolute_ && rows == 1) {
      AbsoluteProduct(x, y, accumulate);
    } else {
      Gemm({rows, rows_, cols_, true, accumulate}, x, y);
    }
    return absl::OkStatus();
  }
  template <class T>
  absl::Status BackwardT(int64_t rows, const T* lambda, T* out, bool accumulate, CpuScratch&) const {
    Gemm({rows, cols_, rows_, false, accumulate}, lambda, out);
    return absl::OkStatus();
  }
  template <class T>
  void AddRowT(int64_t neuron, T sign, T* out) const {
    const T* row = Weights(sign) + neuron * cols_;
    for (int64_t c = 0; c < cols_; ++c) out[c] += sign * row[c];
  }

 private:
  const float* Weights(float) const {
    if (absolute_) {
      std::call_once(narrow_once_, [this] {
        for (double w : map_->weights) f32_.push_back(static_cast<float>(std::fabs(w)));
      });
    }
    return f32_.data();
  }
  const double* Weights(double) const {
    if (!absolute_) return map_->weights.data();
    std::call_once(wide_once_, [this] {
      for (double w : map_->weights) f64_.push_back(std::fabs(w));
    });
    return f64_.data();
  }

  // y = |W| x, or +=, of one vector: reads the coefficients once, which is all that it costs.
  template <class T>
  void AbsoluteProduct(const T* x, T* y, bool accumulate) const {
    const double* weights = map_->weights.data();
#pragma omp parallel for schedule(static) if (rows_ * cols_ > (1 << 18))
    for (int64_t r = 0; r < rows_; ++r) {
      const double* row = weights + r * cols_;
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t c = 0; c < cols_; ++c) sum += std::fabs(row[c]) * static_cast<double>(x[c]);
      y[r] = static_cast<T>(accumulate ? static_cast<double>(y[r]) + sum : sum);
    }
  }

  template <class T>
  void Gemm(const GemmShape& shape, const T* a, T* c) const {
    if (shape.n == 0) return;
    const T* weights = Weights(T(0));
    ByRowBlocks(shape.m, 2.0 * static_cast<double>(shape.n * shape.k), [&](int64_t begin, int64_t count) {
      GemmShape block = shape;
      block.m = count;
      Block(block, a + begin * shape.k, weights, c + begin * shape.n);
    });
  }
  void Block(const GemmShape& s, const float* a, const float* weights, float* c) const {
    if (onednn_) {
      SgemmRowMajor(s, a, weights, c);
      return;
    }
    const auto m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, s.transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1.0f, a, k,
                weights, s.transpose_b ? k : n, s.accumulate ? 1.0f : 0.0f, c, n);
  }
  void Block(const GemmShape& s, const double* a, const double* weights, double* c) const {
    const auto m = static_cast<int>(s.m), n = static_cast<int>(s.n), k = static_cast<int>(s.k);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, s.transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1.0, a, k,
                weights, s.transpose_b ? k : n, s.accumulate ? 1.0 : 0.0, c, n);
  }

  std::shared_ptr<const ir::DenseMap> map_;
  int64_t rows_, cols_;
  bool absolute_, onednn_;
  mutable std::once_flag narrow_once_, wide_once_;
  mutable std::vector<float> f32_;
  mutable std::vector<double> f64_;  // of |W| alone
};

class ConvCpuMap : public CpuMapBase<ConvCpuMap> {
 public:
  ConvCpuMap(std::shared_ptr<const ir::ConvMap> map, bool absolute)
      : map_(std::move(map)), absolute_(absolute), geometry_(ir::GeometryOf(*map_)), onednn_(map_, absolute) {
    const ir::ConvMap& m = geometry_;
    input_size_ = m.transposed ? SmallSize() : BigSize();
    output_size_ = m.transposed ? BigSize() : SmallSize();
    longest_sum_ = m.kernel_h * m.kernel_w * std::max(m.big_c, m.small_c);
    backward_sum_ = m.transposed ? m.kernel_h * m.kernel_w * m.big_c
                                 : Taps(m.kernel_h, m.stride_h, m.dilation_h) *
                                       Taps(m.kernel_w, m.stride_w, m.dilation_w) * m.small_c;
  }

  template <class T>
  absl::Status ForwardT(int64_t rows, const T* x, T* y, bool accumulate, CpuScratch& s) const {
    return geometry_.transposed ? SmallToBig(rows, x, y, accumulate, s)
                                : BigToSmall(rows, x, y, accumulate, s);
  }
  template <class T>
  absl::Status BackwardT(int64_t rows, const T* lambda, T* out, bool accumulate, CpuScratch& s) const {
    return geometry_.transposed ? BigToSmall(rows, lambda, out, accumulate, s)
                                : SmallToBig(rows, lambda, out, accumulate, s);
  }
  template <class T>
  void AddRowT(int64_t neuron, T sign, T* out) const {
    geometry_.transposed ? AddBigRow(neuron, sign, out) : AddSmallRow(neuron, sign, out);
  }

 private:
  // Float64 coefficients are the network's own; those of |W| are made when they are asked for.
  const double* Kernel() const {
    if (!absolute_) return map_->kernel.data();
    std::call_once(kernel_once_, [this] {
      for (double k : map_->kernel) kernel_.push_back(std::fabs(k));
    });
    return kernel_.data();
  }

  int64_t BigSize() const { return geometry_.big_h * geometry_.big_w * geometry_.big_c; }
  int64_t SmallSize() const { return geometry_.small_h * geometry_.small_w * geometry_.small_c; }

  absl::Status BigToSmall(int64_t rows, const float* x, float* y, bool accumulate, CpuScratch& s) const {
    return Overwriting(rows * SmallSize(), y, accumulate, s,
                       [&](float* target) { return onednn_.BigToSmall(rows, x, target); });
  }
  absl::Status SmallToBig(int64_t rows, const float* x, float* y, bool accumulate, CpuScratch& s) const {
    return Overwriting(rows * BigSize(), y, accumulate, s,
                       [&](float* target) { return onednn_.SmallToBig(rows, x, target); });
  }
  absl::Status BigToSmall(int64_t rows, const double* x, double* y, bool accumulate, CpuScratch&) const {
    ConvBigToSmall(geometry_, Kernel(), rows, x, accumulate, y);
    return absl::OkStatus();
  }
  absl::Status SmallToBig(int64_t rows, const double* x, double* y, bool accumulate, CpuScratch&) const {
    ConvSmallToBig(geometry_, Kernel(), rows, x, accumulate, y);
    return absl::OkStatus();
  }

  // oneDNN only overwrites: accumulation goes through the scratch buffer.
  template <class Run>
  static absl::Status Overwriting(int64_t count, float* y, bool accumulate, CpuScratch& s, Run run) {
    if (!accumulate) return run(y);
    if (static_cast<int64_t>(s.f32.size()) < count) s.f32.resize(static_cast<size_t>(count));
    absl::Status status = run(s.f32.data());
    if (status.ok()) AddTo(count, s.f32.data(), y);
    return status;
  }

  template <class T>
  void AddSmallRow(int64_t neuron, T sign, T* out) const {
    const ir::ConvMap& g = geometry_;
    const double* coefficients = Kernel();
    const int64_t o = neuron % g.small_c, q = neuron / g.small_c % g.small_w,
                  p = neuron / g.small_c / g.small_w;
    for (int64_t i = 0; i < g.kernel_h; ++i) {
      const int64_t h = p * g.stride_h - g.pad_top + i * g.dilation_h;
      if (h < 0 || h >= g.big_h) continue;
      for (int64_t j = 0; j < g.kernel_w; ++j) {
        const int64_t w = q * g.stride_w - g.pad_left + j * g.dilation_w;
        if (w < 0 || w >= g.big_w) continue;
        const double* kernel = coefficients + ((o * g.kernel_h + i) * g.kernel_w + j) * g.big_c;
        T* target = out + (h * g.big_w + w) * g.big_c;
        for (int64_t c = 0; c < g.big_c; ++c) target[c] += sign * static_cast<T>(kernel[c]);
      }
    }
  }

  template <class T>
  void AddBigRow(int64_t neuron, T sign, T* out) const {
    const ir::ConvMap& g = geometry_;
    const double* coefficients = Kernel();
    const int64_t c = neuron % g.big_c, w = neuron / g.big_c % g.big_w, h = neuron / g.big_c / g.big_w;
    for (int64_t i = 0; i < g.kernel_h; ++i) {
      const int64_t ph = h + g.pad_top - i * g.dilation_h;
      if (ph < 0 || ph % g.stride_h != 0 || ph / g.stride_h >= g.small_h) continue;
      for (int64_t j = 0; j < g.kernel_w; ++j) {
        const int64_t qw = w + g.pad_left - j * g.dilation_w;
        if (qw < 0 || qw % g.stride_w != 0 || qw / g.stride_w >= g.small_w) continue;
        T* target = out + (ph / g.stride_h * g.small_w + qw / g.stride_w) * g.small_c;
        for (int64_t o = 0; o < g.small_c; ++o) {
          const double k =
              coefficients[static_cast<size_t>(((o * g.kernel_h + i) * g.kernel_w + j) * g.big_c + c)];
          target[o] += sign * static_cast<T>(k);
        }
      }
    }
  }

  std::shared_ptr<const ir::ConvMap> map_;
  bool absolute_;
  ir::ConvMap geometry_;  // without coefficients
  mutable std::once_flag kernel_once_;
  mutable std::vector<double> kernel_;  // of |W| alone
  mutable OneDnnConvolution onednn_;    // caches primitives
};

// Both directions as gathers over compressed rows. Identity and scale are rows of one entry.
class SparseCpuMap : public CpuMapBase<SparseCpuMap> {
 public:
  SparseCpuMap(ir::SparseMap m, bool absolute) : by_row_(std::move(m)) {
    for (double& v : by_row_.value) v = Coefficient(v, absolute);
    by_column_ = ir::Transposed(by_row_);
    input_size_ = by_row_.cols;
    output_size_ = by_row_.rows;
    backward_sum_ = ir::LongestRow(by_column_);
    longest_sum_ = std::max(ir::LongestRow(by_row_), backward_sum_);
  }

  template <class T>
  absl::Status ForwardT(int64_t rows, const T* x, T* y, bool accumulate, CpuScratch&) const {
    Multiply(by_row_, rows, input_size_, x, y, accumulate);
    return absl::OkStatus();
  }
  template <class T>
  absl::Status BackwardT(int64_t rows, const T* lambda, T* out, bool accumulate, CpuScratch&) const {
    Multiply(by_column_, rows, output_size_, lambda, out, accumulate);
    return absl::OkStatus();
  }
  template <class T>
  void AddRowT(int64_t neuron, T sign, T* out) const {
    for (int64_t k = by_row_.row_begin[static_cast<size_t>(neuron)];
         k < by_row_.row_begin[static_cast<size_t>(neuron) + 1]; ++k) {
      out[by_row_.column[static_cast<size_t>(k)]] +=
          sign * static_cast<T>(by_row_.value[static_cast<size_t>(k)]);
    }
  }

 private:
  template <class T>
  static void Multiply(const ir::SparseMap& a, int64_t rows, int64_t n_in, const T* in, T* out,
                       bool accumulate) {
    const auto n_out = a.rows;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      const T* source = in + r * n_in;
      T* target = out + r * n_out;
      const int64_t* begin = a.row_begin.data();
      for (int64_t i = 0; i < n_out; ++i) {
        T sum = accumulate ? target[i] : T(0);
        for (int64_t k = begin[i]; k < begin[i + 1]; ++k) {
          sum += static_cast<T>(a.value[static_cast<size_t>(k)]) * source[a.column[static_cast<size_t>(k)]];
        }
        target[i] = sum;
      }
    }
  }

  ir::SparseMap by_row_, by_column_;
};

class ScaleCpuMap : public CpuMapBase<ScaleCpuMap> {
 public:
  // Empty `scale`: the identity.
  ScaleCpuMap(int64_t size, const std::vector<double>& scale, bool absolute) {
    input_size_ = output_size_ = size;
    longest_sum_ = 1;
    for (double v : scale) f64_.push_back(Coefficient(v, absolute));
    f32_.assign(f64_.begin(), f64_.end());
  }

  template <class T>
  absl::Status ForwardT(int64_t rows, const T* x, T* y, bool accumulate, CpuScratch&) const {
    const int64_t n = input_size_;
    const T* scale = Scale(T(0));
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
      const T* source = x + r * n;
      T* target = y + r * n;
      for (int64_t i = 0; i < n; ++i) {
        const T value = scale != nullptr ? scale[i] * source[i] : source[i];
        target[i] = accumulate ? target[i] + value : value;
      }
    }
    return absl::OkStatus();
  }
  template <class T>
  absl::Status BackwardT(int64_t rows, const T* lambda, T* out, bool accumulate, CpuScratch& s) const {
    return ForwardT<T>(rows, lambda, out, accumulate, s);
  }
  template <class T>
  void AddRowT(int64_t neuron, T sign, T* out) const {
    const T* scale = Scale(T(0));
    out[neuron] += scale != nullptr ? sign * scale[neuron] : sign;
  }

 private:
  const float* Scale(float) const {
    return f32_.empty() ? nullptr : f32_.data();
  }
  const double* Scale(double) const {
    return f64_.empty() ? nullptr : f64_.data();
  }
  std::vector<float> f32_;
  std::vector<double> f64_;
};

// Below this share of non-zero weights a gather beats the dense product (measured: dgemm runs some 20 times
// as many products a second as a gather).
constexpr double kSparseShare = 1.0 / 24.0;

bool IsSparse(const ir::DenseMap& m) {
  const auto zeros = std::count(m.weights.begin(), m.weights.end(), 0.0);
  const auto all = static_cast<double>(m.weights.size());
  return all > 4096 && all - static_cast<double>(zeros) < kSparseShare * all;
}

// oneDNN computes as many outputs as fit, so it refuses a big image whose last rows or columns no window
// reads, once they make up a stride (a dilated transposed convolution with output padding).
bool LeavesAStrideUnread(const ir::ConvMap& m) {
  const int64_t reach_h = (m.small_h - 1) * m.stride_h + (m.kernel_h - 1) * m.dilation_h + 1 - m.pad_top;
  const int64_t reach_w = (m.small_w - 1) * m.stride_w + (m.kernel_w - 1) * m.dilation_w + 1 - m.pad_left;
  return m.big_h - reach_h >= m.stride_h || m.big_w - reach_w >= m.stride_w;
}

}  // namespace

bool UsesOneDnn(const ir::LinearMap& map) {
  if (const auto* m = std::get_if<ir::DenseMap>(&map)) return IsLarge(*m);
  return std::holds_alternative<ir::ConvMap>(map);
}

absl::StatusOr<std::shared_ptr<const CpuMap>> MakeCpuMap(const ir::LinearMapPtr& map, bool absolute) {
  if (const auto* m = std::get_if<ir::DenseMap>(map.get())) {
    if (IsSparse(*m)) return std::make_shared<SparseCpuMap>(ir::ToSparse(*map), absolute);
    return std::make_shared<DenseCpuMap>(std::shared_ptr<const ir::DenseMap>(map, m), absolute);
  }
  if (const auto* m = std::get_if<ir::ConvMap>(map.get())) {
    if (LeavesAStrideUnread(*m)) return std::make_shared<SparseCpuMap>(ir::ToSparse(*map), absolute);
    return std::make_shared<ConvCpuMap>(std::shared_ptr<const ir::ConvMap>(map, m), absolute);
  }
  if (const auto* m = std::get_if<ir::SparseMap>(map.get()))
    return std::make_shared<SparseCpuMap>(*m, absolute);
  if (const auto* m = std::get_if<ir::ScaleMap>(map.get())) {
    return std::make_shared<ScaleCpuMap>(static_cast<int64_t>(m->scale.size()), m->scale, absolute);
  }
  return std::make_shared<ScaleCpuMap>(ir::InputSize(*map), std::vector<double>{}, absolute);
}

}  // namespace espalier::backend
