// Bodies that compute one element (launch.cuh). Each names the primitive of backend.h that it is.
#pragma once

#include "cuda_kernels/launch.cuh"
#include "verifier/backend/backend.h"
#include "verifier/backend/neuron_math.h"

namespace espalier::cuda_kernels {

template <class T>
struct AddBody {
  const T* in;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] += in[i]; }
};

template <class T>
struct MultiplyBody {
  const T* in;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] *= in[i]; }
};

template <class T>
struct FillBody {
  T value;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = value; }
};

struct WidenBody {
  const float* in;
  double* out;
  __device__ void operator()(int64_t i) const { out[i] = static_cast<double>(in[i]); }
};

template <class T>
struct DotUnitBody {
  backend::UnitRows<T> unit;
  const T* vec;
  double factor;
  bool absolute;
  double* acc;
  __device__ void operator()(int64_t r) const {
    const double term = static_cast<double>(unit.sign[r]) * static_cast<double>(vec[unit.neuron[r]]);
    acc[r] += factor * (absolute ? backend::Abs(term) : term);
  }
};

template <class T>
struct ToCentreBody {
  const T *lower, *upper;
  T slack;
  T *centre, *radius;
  __device__ void operator()(int64_t i) const {
    const T c = T(0.5) * lower[i] + T(0.5) * upper[i];
    const T above = upper[i] - c, below = c - lower[i];
    const T r = above < below ? below : above;  // NaN in `above` stays
    centre[i] = c;
    radius[i] = r + slack * (backend::Abs(c) + r);
  }
};

template <class T>
struct FillRowsBody {
  int64_t n;
  const T* vec;
  T* out;
  bool accumulate;
  __device__ void operator()(int64_t r, int64_t i) const { Put(vec[i], accumulate, out + r * n + i); }
};

template <class T>
struct GatherRowsBody {
  int64_t n;
  const int32_t* domain_of_row;
  const T* table;
  T* out;
  __device__ void operator()(int64_t r, int64_t i) const { out[r * n + i] = table[domain_of_row[r] * n + i]; }
};

template <class T>
struct KeepBestBody {
  int64_t n;
  const double *bound, *best;
  const T* from;
  T* to;
  __device__ void operator()(int64_t r, int64_t i) const {
    if (bound[r] > best[r]) to[r * n + i] = from[r * n + i];
  }
};

template <class T>
struct RelaxBody {
  int64_t unstable;
  backend::HingeBounds<T> bounds;
  backend::LineArrays<T> lines;
  __device__ void operator()(int64_t d, int64_t j) const {
    const int64_t at = d * unstable + j;
    const backend::HingeLines<T> line =
        backend::LinesOfHinge(bounds.left[j], bounds.right[j], bounds.lower[at], bounds.upper[at]);
    lines.chord_slope[at] = line.chord_slope;
    lines.chord_intercept[at] = line.chord_intercept;
    lines.free_lo[at] = line.free_lo;
    lines.free_hi[at] = line.free_hi;
    lines.free_start[at] = line.free_start;
  }
};

template <class T>
struct ScoreBody {
  const int32_t* domain_of_row;
  backend::LayerLines<T> layer;
  const T* saved;
  T* score;
  __device__ void operator()(int64_t r, int64_t j) const {
    const int64_t at = r * layer.unstable + j, line = domain_of_row[r] * layer.unstable + j;
    const bool open = layer.free_lo[line] < layer.free_hi[line];
    const bool on_free = backend::OnFreeLine(saved[at], layer.convex[j]);
    score[at] = open ? backend::SplitScore(saved[at], on_free, layer.chord_intercept[line]) : T(0);
  }
};

template <class T>
struct HingeBody {
  int64_t n;
  backend::HingeArrays<T> hinge;
  const T* z;
  T *y, *slope;  // y may be z
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    const T x = z[at];
    const T k = x < T(0) ? hinge.left[i] : hinge.right[i];
    y[at] = hinge.intercept[i] + k * x;
    if (slope != nullptr) slope[at] = k;
  }
};

template <class T>
struct FromCentreBody {
  int64_t n;
  backend::CentreArrays<T> from;
  const T* bias;
  T slack;
  backend::IntervalArrays<T> to;
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    const backend::Ends<T> ends = backend::EndsOf(from.centre[at], from.radius[at], bias[i], slack);
    to.lower[at] = ends.lower;
    to.upper[at] = ends.upper;
  }
};

template <class T>
struct HingeIntervalBody {
  int64_t n;
  backend::HingeArrays<T> hinge;
  T slack;
  backend::IntervalArrays<T> interval;
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    const backend::Ends<T> image =
        backend::ImageOfHinge(hinge.left[i], hinge.right[i], hinge.intercept[i],
                              backend::Ends<T>{interval.lower[at], interval.upper[at]}, slack);
    interval.lower[at] = image.lower;
    interval.upper[at] = image.upper;
  }
};

}  // namespace espalier::cuda_kernels
