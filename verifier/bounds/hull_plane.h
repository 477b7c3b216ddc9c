// Planes above a neuron that see its inputs one by one, where the chord sees nothing but their sum.
//
// A hinge f(w·x + b) over a box of x has a concave envelope, which lies below the chord wherever some inputs
// are high while others are low. Anderson et al. 2020 ("Strong mixed-integer programming formulations for
// trained neural networks") give its faces for ReLU, of which there are exponentially many. Tjandraatmadja et
// al. 2020 ("The Convex Relaxation Barrier, Revisited", proposition 2) find the lowest one at a point by
// sorting.
//
//   const HullNeuron neuron{.slots = columns, .weights = weights, .bias = b, .left = 0, .right = 1,
//                           .chord_slope = slope, .chord_intercept = intercept};
//   std::vector<double> plane = LowestPlane(neuron, ranges, point);   // relative to the chord
//   double constant = PlaneConstant(neuron, ranges, plane);
//   // f(w·x + b) <= slope·(w·x + b) + intercept + plane·x + constant  for all x in the ranges
//
// Everything for a concave hinge is the mirror image: planes below it. All functions are pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace espalier::bounds {

// Certified ranges of values, one per slot of a compact network.
struct SlotRanges {
  std::vector<double> lower, upper;
  double Most(size_t slot) const {  // of |value|
    return std::max(std::fabs(lower[slot]), std::fabs(upper[slot]));
  }
};

struct HullNeuron {
  // The pre-activation: sum of weight · (value of the slot) + bias, off by at most `error`.
  absl::Span<const int32_t> slots;
  absl::Span<const double> weights;
  double bias = 0, error = 0;
  // The hinge's slopes, and its chord, which need not be a bound on the whole box.
  double left = 0, right = 1, chord_slope = 0, chord_intercept = 0;

  bool convex() const { return left < right; }
};

// Coefficients [slots of the neuron] of the plane, less those of the chord, that is lowest at `point` ([slots
// of the network]; highest for a concave neuron). Empty where the box knows the sign of the pre-activation.
std::vector<double> LowestPlane(const HullNeuron& neuron, const SlotRanges& ranges,
                                absl::Span<const float> point);

// The constant that makes chord + plane a bound of the hinge on the whole box, whatever the coefficients are:
// each of the hinge's two lines by interval arithmetic, with all added that rounding may have taken
// (docs/soundness.md, 3.9).
double PlaneConstant(const HullNeuron& neuron, const SlotRanges& ranges, absl::Span<const double> plane);

}  // namespace espalier::bounds
