#include "verifier/bounds/half_space.h"

#include <algorithm>
#include <cmath>

#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

constexpr int kBisections = 30;

// Minimum over the box of lambda·x + multiplier·(normal·x + offset) - lambda·corner, and the derivative with
// respect to the multiplier.
struct Lagrangian {
  double value = 0, derivative = 0;
  double scale = 0;  // sum of the absolute values of all that was added
};

Lagrangian Evaluate(const HalfSpace& plane, const RowPlane& row, const InputBoxes& boxes, double multiplier) {
  Lagrangian result;
  double value = 0, at_plane = 0, scale = 0;
  for (size_t i = 0; i < plane.normal.size(); ++i) {
    const double slope = row.lambda[i] + multiplier * plane.normal[i];
    const double x = slope >= 0 ? boxes.lower[i] : boxes.upper[i];
    const double magnitude = std::max(std::fabs(boxes.lower[i]), std::fabs(boxes.upper[i]));
    value += slope * x - row.lambda[i] * row.corner[i];
    at_plane += plane.normal[i] * x;
    scale += (2.0 * std::fabs(row.lambda[i]) + multiplier * std::fabs(plane.normal[i])) * magnitude;
  }
  result.value = value + multiplier * plane.offset;
  result.derivative = at_plane + plane.offset;
  result.scale = scale + multiplier * std::fabs(plane.offset);
  return result;
}

// Where the derivative changes its sign; any multiplier >= 0 is sound, this one is the best.
double BestMultiplier(const HalfSpace& plane, const RowPlane& row, const InputBoxes& boxes) {
  double high = 0;
  double row_size = 0, normal_size = 0;
  for (size_t i = 0; i < plane.normal.size(); ++i) {
    row_size += std::fabs(row.lambda[i]);
    normal_size += std::fabs(plane.normal[i]);
  }
  if (!(normal_size > 0) || !(Evaluate(plane, row, boxes, 0).derivative > 0)) return 0;
  double low = 0;
  high = row_size / normal_size;
  for (int k = 0; k < kBisections && Evaluate(plane, row, boxes, high).derivative > 0; ++k)
    low = high, high *= 2;
  for (int k = 0; k < kBisections; ++k) {
    const double middle = 0.5 * (low + high);
    (Evaluate(plane, row, boxes, middle).derivative > 0 ? low : high) = middle;
  }
  return low;
}

}  // namespace

HalfSpace PlaneOf(const RowPlane& row, const InputBoxes& boxes) {
  HalfSpace plane;
  const size_t n = boxes.lower.size();
  plane.normal.assign(row.lambda, row.lambda + n);
  double at_corner = 0, scale = std::fabs(row.lower);
  for (size_t i = 0; i < n; ++i) {
    at_corner += row.lambda[i] * row.corner[i];
    scale += std::fabs(row.lambda[i]) * std::max(std::fabs(boxes.lower[i]), std::fabs(boxes.upper[i]));
  }
  plane.offset = row.lower - at_corner - 4.0 * Gamma<double>(static_cast<double>(n) + 8.0) * scale;
  return plane;
}

double BoundInside(const HalfSpace& plane, const RowPlane& row, const InputBoxes& boxes) {
  const double multiplier = BestMultiplier(plane, row, boxes);
  if (!(multiplier > 0)) return row.lower;
  const Lagrangian best = Evaluate(plane, row, boxes, multiplier);
  const double allowance = 4.0 * Gamma<double>(static_cast<double>(boxes.lower.size()) + 8.0) *
                           (best.scale + std::fabs(row.lower));
  const double bound = row.lower + best.value - allowance;
  return bound > row.lower ? bound : row.lower;  // NaN proves nothing
}

backend::CompactHalfSpace ToCompact(const HalfSpace& plane) {
  backend::CompactHalfSpace half_space;
  half_space.normal.assign(plane.normal.begin(), plane.normal.end());
  half_space.offset = plane.offset;
  return half_space;
}

}  // namespace espalier::bounds
