#include "verifier/bounds/row_worth.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace espalier::bounds {
namespace {

constexpr double kEnough = 0.95;  // of what all rows are worth
constexpr double kMoves = 0.03;   // of the interval's width: about what a few splits move a bound

// d log(looseness) / d log(moving) = other / (moving + other); it does not move beyond zero.
double WorthOf(double gain, double moving, double other) {
  if (!(moving > 0) || !(other > 0)) return 0;
  const double width = moving + other;
  return gain * std::min(1.0, kMoves * width / moving) * other / width;
}

}  // namespace

std::vector<bool> RowsWorthSplitting(const std::vector<double>& gains, const LayerBox& box,
                                     const std::vector<int32_t>& unstable) {
  std::vector<double> worth;
  for (const int32_t neuron : unstable) {
    const auto i = static_cast<size_t>(neuron);
    worth.push_back(WorthOf(gains[i], -box.lower[i], box.upper[i]));
    worth.push_back(WorthOf(gains[i], box.upper[i], -box.lower[i]));
  }
  std::vector<size_t> order(worth.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return worth[x] > worth[y]; });
  const double enough = kEnough * std::accumulate(worth.begin(), worth.end(), 0.0);
  std::vector<bool> worthy(worth.size(), false);
  double sum = 0;
  for (const size_t r : order) {
    if (!(sum < enough)) break;
    worthy[r] = true;
    sum += worth[r];
  }
  return worthy;
}

}  // namespace espalier::bounds
