// What one element or one row of a training step computes, and the plain structs that describe it.
//
// Included by code that is compiled for one instruction set: nothing here, nor in what it includes, may bring
// initialisers that run before main (<iostream> does, and absl's headers bring it).
#pragma once

#include <cstdint>

#include "verifier/backend/neuron_math.h"

namespace espalier::backend {

// Stochastic gradient descent with momentum: v <- momentum v + (g + decay w);  w <- w - rate v.
struct DescentStep {
  float rate = 0.01f;
  float momentum = 0.9f;
  float decay = 0;
};

// A row per sample: the box of all points within `radius` of `centre`, neuron by neuron.
struct BoxRows {
  float* centre = nullptr;  // [rows][n]
  float* radius = nullptr;  // [rows][n], at least 0
};

// Elements within epsilon of a centre, cut to [low, high].
struct BoxShape {
  float epsilon = 0, low = 0, high = 1;
};

// Which pseudo-random numbers: the same key gives the same numbers on every device.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
};

// SplitMix64's output function (Steele et al. 2014). Own linkage: each instruction set compiles its copy.
ESPALIER_HOST_DEVICE static inline uint64_t MixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Uniform in [0, 1), number `counter` of the key's sequence: SplitMix64 from a start that the key is mixed
// to.
ESPALIER_HOST_DEVICE static inline float CounterUniform(const RandomKey& key, uint64_t counter) {
  constexpr uint64_t kGamma = 0x9E3779B97F4A7C15ull;
  const uint64_t start = MixBits(key.seed + MixBits(key.stream + kGamma));
  return static_cast<float>(MixBits(start + (counter + 1) * kGamma) >> 40) * 0x1.0p-24f;
}

// Image [low, high] of [lower, upper] under the hinge without its intercept, and how its ends move with those
// of the interval. An end at the kink does not move. Own linkage, as MixBits.
struct HingeImage {
  float low, high, low_by_lower, low_by_upper, high_by_lower, high_by_upper;
};

ESPALIER_HOST_DEVICE static inline HingeImage HingeImageOf(float left, float right, float lower,
                                                           float upper) {
  const float slope_lower = lower < 0.0f ? left : right, slope_upper = upper < 0.0f ? left : right;
  const float at_lower = slope_lower * lower, at_upper = slope_upper * upper;
  const bool rises = at_lower <= at_upper, kink = lower < 0.0f && upper > 0.0f;
  HingeImage image;
  image.low = rises ? at_lower : at_upper;
  image.high = rises ? at_upper : at_lower;
  const bool low_at_kink = kink && image.low > 0.0f, high_at_kink = kink && image.high < 0.0f;
  image.low_by_lower = rises && !low_at_kink ? slope_lower : 0.0f;
  image.low_by_upper = rises || low_at_kink ? 0.0f : slope_upper;
  image.high_by_lower = rises || high_at_kink ? 0.0f : slope_lower;
  image.high_by_upper = rises && !high_at_kink ? slope_upper : 0.0f;
  image.low = low_at_kink ? 0.0f : image.low;
  image.high = high_at_kink ? 0.0f : image.high;
  return image;
}

}  // namespace espalier::backend
