#include "verifier/bounds/half_space.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "verifier/backend/cpu_rowwise.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

constexpr int kMostCuts = 24;
// A multiplier is good enough when no other is better by more than this share of what it gains.
constexpr double kGoodEnough = 1e-4;

// One row's Lagrangian dual: the minimum over the box of lambda·x + multiplier·(normal·x + offset).
class Dual {
 public:
  Dual(const HalfSpace& plane, const RowPlane& row, const InputBoxes& boxes)
      : plane_(plane),
        row_(row),
        boxes_(boxes),
        inputs_(static_cast<int64_t>(plane.normal.size())),
        magnitudes_(plane.normal.size()),
        slopes_(plane.normal.size()),
        corner_(plane.normal.size()) {
    for (size_t i = 0; i < magnitudes_.size(); ++i) {
      magnitudes_[i] = std::max(std::fabs(boxes.lower[i]), std::fabs(boxes.upper[i]));
    }
    row_scale_ = kernels_.abs_dot(inputs_, row.lambda, magnitudes_.data());
    plane_scale_ = kernels_.abs_dot(inputs_, plane.normal.data(), magnitudes_.data());
  }

  struct Point {
    double multiplier = 0, value = 0, derivative = 0;
  };
  Point At(double multiplier);
  // Any multiplier >= 0 is sound, this one is nearly the best.
  Point Best();
  double ValueAtCorner() const { return kernels_.dot(inputs_, row_.lambda, row_.corner); }
  // Sum of the absolute values of all that a bound adds up.
  double Scale(double multiplier) const {
    return 2.0 * row_scale_ + multiplier * (plane_scale_ + std::fabs(plane_.offset));
  }

 private:
  const backend::RowwiseTable<double>& kernels_ = backend::BestRowwiseTable<double>();
  const HalfSpace& plane_;
  const RowPlane& row_;
  const InputBoxes& boxes_;
  int64_t inputs_;
  double row_scale_ = 0, plane_scale_ = 0;
  std::vector<double> magnitudes_, slopes_, corner_;
};

Dual::Point Dual::At(double multiplier) {
  for (size_t i = 0; i < slopes_.size(); ++i) {
    slopes_[i] = row_.lambda[i] + multiplier * plane_.normal[i];
  }
  const double value = kernels_.concretise(inputs_, slopes_.data(), boxes_.lower.data(), boxes_.upper.data(),
                                           corner_.data(), nullptr);
  const double at_plane = kernels_.dot(inputs_, plane_.normal.data(), corner_.data());
  return {multiplier, value + multiplier * plane_.offset, at_plane + plane_.offset};
}

// The dual is concave. Between a point where it rises and one where it falls, the tangents meet above the
// maximum, and there the next point is taken (cutting planes, Kelley 1960).
Dual::Point Dual::Best() {
  const Point none = At(0);
  if (!(plane_scale_ > 0) || !(none.derivative > 0)) return none;
  Point low = none, high = At(row_scale_ / plane_scale_);
  for (int k = 0; k < kMostCuts && high.derivative > 0; ++k) low = high, high = At(2 * high.multiplier);
  for (int k = 0; k < kMostCuts && high.derivative <= 0; ++k) {
    const double apart = high.multiplier - low.multiplier;
    const double fall = low.derivative - high.derivative;
    const double step = (high.value - low.value - high.derivative * apart) / fall;
    if (!(step > 0) || !(step < apart)) break;
    const double most = low.value + low.derivative * step, best = std::max(low.value, high.value);
    if (!(most - best > kGoodEnough * (best - none.value))) break;
    const Point middle = At(low.multiplier + step);
    (middle.derivative > 0 ? low : high) = middle;
  }
  return high.value > low.value ? high : low;
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
  Dual dual(plane, row, boxes);
  const Dual::Point best = dual.Best();
  if (!(best.multiplier > 0)) return row.lower;
  const double allowance = 4.0 * Gamma<double>(static_cast<double>(boxes.lower.size()) + 8.0) *
                           (dual.Scale(best.multiplier) + std::fabs(row.lower));
  const double bound = row.lower + (best.value - dual.ValueAtCorner()) - allowance;
  return bound > row.lower ? bound : row.lower;  // NaN proves nothing
}

backend::CompactHalfSpace ToCompact(const HalfSpace& plane) {
  backend::CompactHalfSpace half_space;
  half_space.normal.assign(plane.normal.begin(), plane.normal.end());
  half_space.offset = plane.offset;
  return half_space;
}

}  // namespace espalier::bounds
