// Points of a box as a model sees them: the nearest point inside, and its float32 twin.
#pragma once

#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "verifier/api/property.h"

namespace espalier::check {

// How far the point lies outside the box, in the maximum norm; 0 inside. Stops counting beyond `enough`. NaN
// in the point gives +infinity.
double DistanceToBox(const api::Box& box, absl::Span<const double> point, double enough);

// The nearest point inside; open bounds are left by one double. nullopt when the box holds no double there.
std::optional<std::vector<double>> ClampToBox(const api::Box& box, absl::Span<const double> point);

struct ModelPoint {
  std::vector<double> reported;  // inside the box; casting it to float32 gives `float32`
  std::vector<double> float32;   // float32 values, as double
  bool rounded = false;          // an interval holds no float32 value: there `float32` lies outside the box
};

// For a `point` inside the box: every coordinate moves to the nearest float32 value of its interval; where
// there is none, the coordinate stays as it is and its nearest float32 is what the model gets.
ModelPoint RoundInsideBox(const api::Box& box, const std::vector<double>& point);

}  // namespace espalier::check
