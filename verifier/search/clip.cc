#include "verifier/search/clip.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/bounds/rounding.h"

namespace espalier::search {
namespace {

constexpr int kSweeps = 3;

// The plane's minimum over the box, rounded down; NaN bounds nothing.
double Lowest(const AffineBounds& rows, size_t r, const std::vector<double>& lower,
              const std::vector<double>& upper) {
  const size_t n = lower.size();
  double bound = rows.constant[r], magnitude = std::fabs(rows.constant[r]);
  for (size_t j = 0; j < n; ++j) {
    const double slope = rows.lambda[r * n + j];
    bound += std::min(slope * lower[j], slope * upper[j]);
    magnitude += std::fabs(slope) * std::max(std::fabs(lower[j]), std::fabs(upper[j]));
  }
  return bound - bounds::Gamma<double>(static_cast<double>(n) + 8.0) * magnitude -
         std::numeric_limits<double>::min();
}

// Upward by more than the rounding of the few operations that made it.
double Outward(double value, double direction) {
  const double reach = 4 * std::numeric_limits<double>::epsilon() * std::fabs(value);
  return std::nextafter(value + direction * reach, direction * INFINITY);
}

// Cuts along every input by one row whose minimum over the box is `lowest` <= 0.
void Cut(const double* slope, double lowest, std::vector<double>& lower, std::vector<double>& upper) {
  for (size_t j = 0; j < lower.size(); ++j) {
    if (slope[j] == 0 || !std::isfinite(slope[j])) continue;
    // Further than this from the lowest corner, this plane alone is positive.
    const double reach = Outward(-lowest / std::fabs(slope[j]), 1.0);
    if (!(reach < upper[j] - lower[j])) continue;
    if (slope[j] > 0) {
      upper[j] = std::min(upper[j], Outward(lower[j] + reach, 1.0));
    } else {
      lower[j] = std::max(lower[j], Outward(upper[j] - reach, -1.0));
    }
  }
}

}  // namespace

bool ClipBox(const AffineBounds& rows, std::vector<double>& lower, std::vector<double>& upper) {
  const auto n = lower.size();
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t r = 0; r < static_cast<size_t>(rows.rows); ++r) {
      const double lowest = Lowest(rows, r, lower, upper);
      if (lowest > 0) return false;
      if (!std::isfinite(lowest)) continue;
      Cut(rows.lambda.data() + r * n, lowest, lower, upper);
    }
  }
  return true;
}

}  // namespace espalier::search
