// Bodies of which the threads of one row compute a sum or obey an order (launch.cuh). Sums are in double and
// always in the same order.
#pragma once

#include "cuda_kernels/launch.cuh"
#include "verifier/backend/backend.h"
#include "verifier/backend/neuron_math.h"

namespace espalier::cuda_kernels {

// acc[r] += factor * sum of products, or of their absolute values.
template <class T>
struct DotBody {
  int64_t n;
  const T *lambda, *vec;
  double factor;
  bool absolute;
  double* acc;
  __device__ void operator()(const RowThreads& row, int64_t r) const {
    const T* const coefficients = lambda + r * n;
    double sum = 0;
    for (int64_t i = row.lane(); i < n; i += row.width()) {
      const double product = static_cast<double>(coefficients[i]) * static_cast<double>(vec[i]);
      sum += absolute ? backend::Abs(product) : product;
    }
    sum = row.Sum(sum);
    if (row.lane() == 0) acc[r] += factor * sum;
  }
};

template <class T>
struct ConcretiseBody {
  int64_t n;
  const int32_t* domain_of_row;
  const T* lambda;
  backend::BoxArrays<T> box;
  backend::RowSums sums;
  backend::Minimum<T> minimum;
  __device__ void operator()(const RowThreads& row, int64_t r) const {
    const T* const coefficients = lambda + r * n;
    const T* const lower = box.lower + domain_of_row[r] * n;
    const T* const upper = box.upper + domain_of_row[r] * n;
    double sum = 0, magnitude = 0;
    for (int64_t i = row.lane(); i < n; i += row.width()) {
      const T l = lower[i], u = upper[i];
      const T x = coefficients[i] > T(0) ? l : u;
      if (minimum.corner != nullptr) minimum.corner[r * n + i] = x;
      const auto coefficient = static_cast<double>(coefficients[i]);
      sum += coefficient * static_cast<double>(x);
      const T reach = backend::Max(backend::Abs(l), backend::Abs(u));
      magnitude += backend::Abs(coefficient * static_cast<double>(reach));
    }
    sum = row.Sum(sum);
    if (sums.error != nullptr) magnitude = row.Sum(magnitude);
    if (row.lane() != 0) return;
    minimum.bound[r] = sums.acc[r] + sum;
    if (sums.error != nullptr) sums.error[r] += sums.factor * (magnitude + backend::Abs(sums.acc[r]));
  }
};

template <class T>
struct KeepBestSplitsBody {
  const int32_t* begin;
  const double *bound, *best;
  const T* from;
  T* to;
  __device__ void operator()(const RowThreads& row, int64_t r) const {
    if (!(bound[r] > best[r])) return;
    for (int64_t k = begin[r] + row.lane(); k < begin[r + 1]; k += row.width()) to[k] = from[k];
  }
};

// One row's view of a layer's lines.
template <class T>
struct RowLines {
  const backend::LayerLines<T>& layer;
  int64_t at;        // of the row's domain in the arrays per domain
  const T* free_of;  // the row's free slopes
  __device__ RowLines(const backend::LayerLines<T>& of, int64_t domain, const T* alpha, int64_t r)
      : layer(of), at(domain * of.unstable) {
    free_of = alpha != nullptr ? alpha + r * of.unstable : of.free_start + at;
  }
  __device__ bool OnFree(int64_t j, T coefficient) const {
    return backend::OnFreeLine(coefficient, layer.convex[j]);
  }
  __device__ T FreeSlope(int64_t j) const {
    return backend::Clamp(free_of[j], layer.free_lo[at + j], layer.free_hi[at + j]);
  }
};

// lambda[neuron] -= beta * sign for the row's splits. Splits of one neuron are summed by the thread of the
// first, so that no two threads write one element.
template <class T>
__device__ void SubtractSplits(const RowThreads& row, const backend::SplitRows<T>& splits, int64_t r,
                               T* lambda) {
  const int32_t first = splits.begin[r], end = splits.begin[r + 1];
  for (int32_t k = first + row.lane(); k < end; k += row.width()) {
    const int32_t neuron = splits.neuron[k];
    bool seen = false;
    for (int32_t other = first; other < k; ++other) seen = seen || splits.neuron[other] == neuron;
    if (seen) continue;
    T value = lambda[neuron];
    for (int32_t other = k; other < end; ++other) {
      if (splits.neuron[other] == neuron) value -= splits.beta[other] * splits.sign[other];
    }
    lambda[neuron] = value;
  }
}

template <class T>
struct ApplyLinesBody {
  const int32_t* domain_of_row;
  backend::LayerLines<T> layer;
  const T* alpha;
  backend::SplitRows<T> splits;
  T *lambda, *saved;
  backend::RowSums sums;

  __device__ void operator()(const RowThreads& row, int64_t r) const {
    T* const coefficients = lambda + r * layer.neurons;
    const RowLines<T> lines(layer, domain_of_row[r], alpha, r);
    double sum = 0, magnitude = 0;
    if (layer.intercept != nullptr) {
      for (int64_t i = row.lane(); i < layer.neurons; i += row.width()) {
        const double constant =
            static_cast<double>(coefficients[i]) * static_cast<double>(layer.intercept[i]);
        sum += constant;
        magnitude += backend::Abs(constant);
      }
      row.Barrier();
    }
    for (int64_t j = row.lane(); j < layer.unstable; j += row.width()) {
      const int32_t neuron = layer.index[j];
      const T value = coefficients[neuron];
      if (saved != nullptr) saved[r * layer.unstable + j] = value;
      const bool on_free = lines.OnFree(j, value);
      coefficients[neuron] = value * (on_free ? lines.FreeSlope(j) : layer.chord_slope[lines.at + j]);
      if (on_free) continue;
      const double constant =
          static_cast<double>(value) * static_cast<double>(layer.chord_intercept[lines.at + j]);
      sum += constant;
      magnitude += backend::Abs(constant);
    }
    row.Barrier();
    for (int64_t i = row.lane(); i < layer.neurons; i += row.width())
      coefficients[i] *= layer.stable_slope[i];
    if (splits.begin != nullptr) {
      row.Barrier();
      SubtractSplits(row, splits, r, coefficients);
    }
    sum = row.Sum(sum);
    if (sums.error != nullptr) magnitude = row.Sum(magnitude);
    if (row.lane() != 0) return;
    sums.acc[r] += sum;
    if (sums.error != nullptr) sums.error[r] += sums.factor * magnitude;
  }
};

template <class T>
struct StepBody {
  const int32_t* domain_of_row;
  backend::LayerLines<T> layer;
  const T* saved;
  backend::Learned<T> learned;
  backend::AdamRates<T> slope_rates, split_rates;
  T* z;

  __device__ void operator()(const RowThreads& row, int64_t r) const {
    T* const values = z + r * layer.neurons;
    if (learned.splits.begin != nullptr && learned.splits.first_moment != nullptr) {
      StepSplits(row, r, values);
      row.Barrier();
    }
    const RowLines<T> lines(layer, domain_of_row[r], learned.slopes.alpha, r);
    for (int64_t j = row.lane(); j < layer.unstable; j += row.width()) StepLine(lines, r, j, values);
    row.Barrier();
    for (int64_t i = row.lane(); i < layer.neurons; i += row.width()) {
      const T intercept = layer.intercept != nullptr ? layer.intercept[i] : T(0);
      values[i] = values[i] * layer.stable_slope[i] + intercept;
    }
  }

 private:
  __device__ void StepSplits(const RowThreads& row, int64_t r, const T* values) const {
    const backend::SplitRows<T>& s = learned.splits;
    for (int32_t k = s.begin[r] + row.lane(); k < s.begin[r + 1]; k += row.width()) {
      const T gradient = -s.sign[k] * values[s.neuron[k]];
      const T move = backend::AdamMove(gradient, split_rates, &s.first_moment[k], &s.second_moment[k]);
      const T beta = s.beta[k] + move;
      s.beta[k] = T(0) < beta ? beta : T(0);
    }
  }

  __device__ void StepLine(const RowLines<T>& lines, int64_t r, int64_t j, T* values) const {
    const int64_t own = r * layer.unstable + j, line = lines.at + j;
    const T coefficient = saved[own];
    const bool on_free = lines.OnFree(j, coefficient);
    const T slope = lines.FreeSlope(j);
    T& value = values[layer.index[j]];
    const T x = value;
    value = on_free ? slope * x : layer.chord_slope[line] * x + layer.chord_intercept[line];
    const backend::SlopeState<T>& s = learned.slopes;
    if (s.first_moment == nullptr) return;
    const T lo = layer.free_lo[line], hi = layer.free_hi[line];
    const T gradient = on_free && lo < hi ? coefficient * x : T(0);
    const T move = backend::AdamMove(gradient, slope_rates, &s.first_moment[own], &s.second_moment[own]);
    s.alpha[own] = backend::Clamp(slope + move, lo, hi);
  }
};

}  // namespace espalier::cuda_kernels
