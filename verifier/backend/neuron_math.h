// Per-neuron formulas shared by every backend (and, as host/device functions, by CUDA).
//
// A hinge f(x) = c + (x < 0 ? left : right)·x with pre-activation bounds l <= x <= u is enclosed by two
// lines:
//   the chord    c + s·x + t   (above f when f is convex, below it when concave), and
//   the free one c + α·x       with any α between left and right (on the other side).
// Zhang et al. 2018 (CROWN), eq. (9)-(11), for ReLU; the same for every hinge.
#pragma once

#include <cmath>

#if defined(__CUDACC__)
#define ESPALIER_HOST_DEVICE __host__ __device__
#else
#define ESPALIER_HOST_DEVICE
#endif

namespace espalier::backend {

template <class T>
struct HingeLines {
  T chord_slope;
  T chord_intercept;   // without the hinge's own intercept c
  T free_lo, free_hi;  // range of the free slope; equal: the neuron is linear on [l, u]
  T free_start;        // adaptive start: the slope of the wider side
};

// The hinges of n neurons.
template <class T>
struct HingeArrays {
  const T *left = nullptr, *right = nullptr, *intercept = nullptr;  // [n]
};

template <class T>
struct Epsilon;
template <>
struct Epsilon<float> {
  static constexpr float value = 1.1920929e-7f;
};
template <>
struct Epsilon<double> {
  static constexpr double value = 2.220446049250313e-16;
};

// Bounds this close to symmetric, relative to their distance, count as symmetric.
template <class T>
struct TieShare;
template <>
struct TieShare<float> {
  static constexpr float value = 1e-5f;
};
template <>
struct TieShare<double> {
  static constexpr double value = 1e-9;
};

template <class T>
ESPALIER_HOST_DEVICE static inline T Max(T a, T b) {
  return a > b ? a : b;
}
template <class T>
ESPALIER_HOST_DEVICE static inline T Min(T a, T b) {
  return a < b ? a : b;
}
template <class T>
ESPALIER_HOST_DEVICE static inline T Abs(T a) {
  return a < T(0) ? -a : a;
}

// Sound for any rounding of the slope: on [l, u] the largest gap between a convex f and a line is at an end
// point, so the intercept is taken there and pushed outward by more than the rounding of its own computation.
// Requires l <= u. A NaN bound gives NaN lines, which make every bound NaN (and NaN proves nothing).
template <class T>
ESPALIER_HOST_DEVICE static inline HingeLines<T> LinesOfHinge(T left, T right, T l, T u) {
  HingeLines<T> lines;
  if (l >= T(0) || u <= T(0) || left == right) {
    const T slope = l >= T(0) ? right : left;
    lines.chord_slope = lines.free_lo = lines.free_hi = lines.free_start = slope;
    lines.chord_intercept = T(0);
    return lines;
  }
  const T fl = left * l;
  const T fu = right * u;
  const T slope = (fu - fl) / (u - l);
  const T at_l = fl - slope * l;
  const T at_u = fu - slope * u;
  const T slack = T(4) * Epsilon<T>::value * (Abs(fl) + Abs(fu) + Abs(slope) * (u - l));
  lines.chord_slope = slope;
  lines.chord_intercept = left < right ? Max(at_l, at_u) + slack : Min(at_l, at_u) - slack;
  lines.free_lo = Min(left, right);
  lines.free_hi = Max(left, right);
  // A tie but for rounding takes the left side, whatever order the bounds were summed in.
  lines.free_start = u + l > TieShare<T>::value * (u - l) ? right : left;
  if (!(l < u)) lines.chord_intercept = l - u;  // reached only by NaN: keep it NaN
  return lines;
}

// Whether a row with this coefficient takes the free line: for a lower bound, positive coefficients take the
// lower line (free when the hinge is convex), negative ones the upper one.
template <class T>
ESPALIER_HOST_DEVICE static inline bool OnFreeLine(T coefficient, T convex) {
  return (coefficient >= T(0)) == (convex != T(0));
}

template <class T>
ESPALIER_HOST_DEVICE static inline T Clamp(T value, T lo, T hi) {
  const T raised = value < lo ? lo : value;
  return raised > hi ? hi : raised;
}

// Adam's corrections for its step t: 1 / (1 - 0.9^t) and 1 / (1 - 0.999^t).
template <class T>
struct AdamRates {
  T rate, correction1, correction2;
};

// Updates the moments by the gradient and returns how far the variable moves uphill (Kingma and Ba 2015).
template <class T>
ESPALIER_HOST_DEVICE static inline T AdamMove(T gradient, const AdamRates<T>& adam, T* first, T* second) {
  *first = T(0.9) * *first + T(0.1) * gradient;
  *second = T(0.999) * *second + T(0.001) * gradient * gradient;
  return adam.rate * *first * adam.correction1 / (std::sqrt(*second * adam.correction2) + T(1e-8));
}

// Chord side: the chord's gap at zero, which a split removes on both sides. Free side: a fifth of it.
template <class T>
ESPALIER_HOST_DEVICE static inline T SplitScore(T coefficient, bool on_free, T chord_intercept) {
  return Abs(coefficient) * Abs(chord_intercept) * (on_free ? T(0.2) : T(1));
}

template <class T>
struct Ends {
  T lower, upper;
};

// Image of [l, u] under the hinge, outward by slack relative to the magnitudes. NaN in, NaN out.
template <class T>
ESPALIER_HOST_DEVICE static inline Ends<T> ImageOfHinge(T left, T right, T intercept, Ends<T> x, T slack) {
  const T at_l = (x.lower < T(0) ? left : right) * x.lower;
  const T at_u = (x.upper < T(0) ? left : right) * x.upper;
  T low = Min(at_l, at_u), high = Max(at_l, at_u);
  if (x.lower < T(0) && x.upper > T(0)) {
    low = Min(low, T(0));
    high = Max(high, T(0));
  }
  if (!(x.lower <= x.upper)) low = high = x.lower + x.upper;  // NaN stays NaN
  const T reach = slack * (Abs(low) + Abs(high) + Abs(intercept));
  return {low + intercept - reach, high + intercept + reach};
}

// Far above what any number of underflowed products can lose, far below what any bound is.
template <class T>
struct Underflow;
template <>
struct Underflow<float> {
  static constexpr float value = 1e-30f;
};
template <>
struct Underflow<double> {
  static constexpr double value = 1e-280;
};

// Ends of centre + bias +- radius, outward by slack relative to the magnitudes and by what underflow may
// lose.
template <class T>
ESPALIER_HOST_DEVICE static inline Ends<T> EndsOf(T centre, T radius, T bias, T slack) {
  const T scale = Abs(centre) + radius + Abs(bias);
  const T reach = radius + slack * scale + (scale > T(0) ? Underflow<T>::value : T(0));
  return {centre + bias - reach, centre + bias + reach};
}

}  // namespace espalier::backend
