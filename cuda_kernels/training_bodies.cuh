// Bodies of the training primitives (launch.cuh). Each names the primitive of training.h that it is.
#pragma once

#include "cuda_kernels/launch.cuh"
#include "verifier/backend/row_loss.h"
#include "verifier/backend/training.h"

namespace espalier::cuda_kernels {

struct HingeBackwardBody {
  int64_t n;
  backend::HingeArrays<float> hinge;
  const float* z;
  float* g;
  __device__ void operator()(int64_t r, int64_t i) const {
    g[r * n + i] *= z[r * n + i] < 0.0f ? hinge.left[i] : hinge.right[i];
  }
};

struct BoxHingeForwardBody {
  int64_t n;
  backend::HingeArrays<float> hinge;
  backend::BoxRows from, to;
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    const float centre = from.centre[at], radius = from.radius[at];
    const backend::HingeImage image =
        backend::HingeImageOf(hinge.left[i], hinge.right[i], centre - radius, centre + radius);
    to.centre[at] = hinge.intercept[i] + 0.5f * (image.high + image.low);
    to.radius[at] = 0.5f * (image.high - image.low);
  }
};

struct BoxHingeBackwardBody {
  int64_t n;
  backend::HingeArrays<float> hinge;
  backend::BoxRows from, g;
  __device__ void operator()(int64_t r, int64_t i) const {
    const int64_t at = r * n + i;
    const float centre = from.centre[at], radius = from.radius[at];
    const backend::HingeImage image =
        backend::HingeImageOf(hinge.left[i], hinge.right[i], centre - radius, centre + radius);
    const float low = 0.5f * (g.centre[at] - g.radius[at]), high = 0.5f * (g.centre[at] + g.radius[at]);
    const float lower = low * image.low_by_lower + high * image.high_by_lower;
    const float upper = low * image.low_by_upper + high * image.high_by_upper;
    g.centre[at] = upper + lower;
    g.radius[at] = upper - lower;
  }
};

struct WorstLogitsBody {
  int64_t classes;
  const int32_t* label;
  backend::BoxRows from;
  float* out;
  __device__ void operator()(int64_t r, int64_t c) const {
    const int64_t at = r * classes + c;
    const float centre = from.centre != nullptr ? from.centre[at] : 0.0f;
    out[at] = c == label[r] ? centre - from.radius[at] : centre + from.radius[at];
  }
};

struct AbsoluteBody {
  const float* x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] = x[i] < 0.0f ? -x[i] : x[i]; }
};

struct AddSignedBody {
  const float *s, *x;
  float* y;
  __device__ void operator()(int64_t i) const { y[i] += s[i] > 0.0f ? x[i] : s[i] < 0.0f ? -x[i] : 0.0f; }
};

// Sums of g, or of g z, over one strip of rows: strip s of column i goes to partial[s][i].
struct StripSumBody {
  Extent extent;
  int64_t height;
  const float *g, *z;  // z null: the sum of g
  double* partial;
  __device__ void operator()(int64_t strip, int64_t i) const {
    const int64_t end = backend::Min((strip + 1) * height, extent.rows);
    double sum = 0;
    for (int64_t r = strip * height; r < end; ++r) {
      const int64_t at = r * extent.n + i;
      const auto value = static_cast<double>(g[at]);
      sum += z != nullptr ? value * static_cast<double>(z[at]) : value;
    }
    partial[strip * extent.n + i] = sum;
  }
};

// out[i] = sum over the strips, 0 where keep[i] is 0.
struct StripTotalBody {
  int64_t strips, n;
  const double* partial;
  const float* keep;
  float* out;
  __device__ void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t s = 0; s < strips; ++s) sum += partial[s * n + i];
    out[i] = keep != nullptr && keep[i] == 0.0f ? 0.0f : static_cast<float>(sum);
  }
};

struct DescendBody {
  backend::DescentStep step;
  const float* gradient;
  float *velocity, *weight;
  __device__ void operator()(int64_t i) const {
    const float v = step.momentum * velocity[i] + (gradient[i] + step.decay * weight[i]);
    velocity[i] = v;
    weight[i] -= step.rate * v;
  }
};

// Comparisons are written so that NaN passes.
struct BoxAroundBody {
  const float* x;
  backend::BoxShape shape;
  float *lower, *upper;
  __device__ void operator()(int64_t i) const {
    const float low = shape.low, high = shape.high;
    float l = x[i] - shape.epsilon, u = x[i] + shape.epsilon;
    l = l < low ? low : l;
    u = u > high ? high : u;
    lower[i] = l > high ? high : l;
    upper[i] = u < low ? low : u;
  }
};

struct UniformInBoxBody {
  backend::RandomKey key;
  const float *lower, *upper;
  float* x;
  __device__ void operator()(int64_t i) const {
    const float share = backend::CounterUniform(key, static_cast<uint64_t>(i));
    const float at = lower[i] + share * (upper[i] - lower[i]);
    x[i] = at > upper[i] ? upper[i] : at;  // rounding may pass the end by one number
  }
};

struct SignStepBody {
  float rate;
  const float *g, *lower, *upper;
  float* x;
  __device__ void operator()(int64_t i) const {
    const float step = g[i] > 0.0f ? rate : g[i] < 0.0f ? -rate : 0.0f;
    float at = x[i] + step;
    at = at < lower[i] ? lower[i] : at;
    x[i] = at > upper[i] ? upper[i] : at;
  }
};

struct CrossEntropyBody {
  int64_t classes;
  const float* logits;
  backend::LossTarget target;
  backend::LossResult result;
  __device__ void operator()(int64_t r) const { backend::RowLoss(classes, r, logits, target, result); }
};

}  // namespace espalier::cuda_kernels
