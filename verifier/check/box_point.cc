#include "verifier/check/box_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace espalier::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Interval {
  double lower, upper;
};

// The doubles that the box allows at coordinate i: open bounds excluded.
Interval Doubles(const api::Box& box, size_t i) {
  const int open = box.open.empty() ? 0 : box.open[i];
  return {(open & 1) != 0 ? std::nextafter(box.lower[i], kInfinity) : box.lower[i],
          (open & 2) != 0 ? std::nextafter(box.upper[i], -kInfinity) : box.upper[i]};
}

}  // namespace

double DistanceToBox(const api::Box& box, absl::Span<const double> point, double enough) {
  double distance = 0;
  for (size_t i = 0; i < point.size() && distance <= enough; ++i) {
    if (std::isnan(point[i])) return kInfinity;
    distance = std::max({distance, box.lower[i] - point[i], point[i] - box.upper[i]});
  }
  return distance;
}

std::optional<std::vector<double>> ClampToBox(const api::Box& box, absl::Span<const double> point) {
  std::vector<double> clamped(point.begin(), point.end());
  for (size_t i = 0; i < clamped.size(); ++i) {
    const Interval interval = Doubles(box, i);
    if (!(interval.lower <= interval.upper) || std::isnan(clamped[i])) return std::nullopt;
    clamped[i] = std::clamp(clamped[i], interval.lower, interval.upper);
  }
  return clamped;
}

ModelPoint RoundInsideBox(const api::Box& box, const std::vector<double>& point) {
  ModelPoint result{point, point, false};
  for (size_t i = 0; i < point.size(); ++i) {
    const Interval interval = Doubles(box, i);
    const float nearest = static_cast<float>(point[i]);
    float inside = nearest;
    if (static_cast<double>(inside) < interval.lower) {
      inside = std::nextafter(inside, std::numeric_limits<float>::infinity());
    } else if (static_cast<double>(inside) > interval.upper) {
      inside = std::nextafter(inside, -std::numeric_limits<float>::infinity());
    }
    const double value = inside;
    if (value >= interval.lower && value <= interval.upper) {
      result.reported[i] = result.float32[i] = value;
    } else {
      result.float32[i] = nearest;
      result.rounded = true;
    }
  }
  return result;
}

}  // namespace espalier::check
