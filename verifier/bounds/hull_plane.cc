#include "verifier/bounds/hull_plane.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

// What the sum of the neuron's inputs loses on the way from its largest value to its smallest one.
struct Fall {
  size_t input = 0;
  double share = 0;  // of the way that the point has gone from the small end to the large one
  double size = 0;   // of the whole way, in the sum
};

// Has those first, in no order, that come first by their shares and together fall by less than `rest`; what
// is left of it then. The next one, at the place that is returned, falls below it; the end: none does.
size_t SelectFirst(std::vector<Fall>& falls, double& rest) {
  size_t begin = 0, end = falls.size();
  const auto before = [](const Fall& a, const Fall& b) { return a.share < b.share; };
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    const auto at = [&](size_t k) { return falls.begin() + static_cast<int64_t>(k); };
    std::nth_element(at(begin), at(middle), at(end), before);
    double sum = 0;
    for (size_t k = begin; k < middle; ++k) sum += falls[k].size;
    if (rest < sum) {
      end = middle;
      continue;
    }
    rest -= sum;
    begin = middle;
    if (rest < falls[middle].size) break;
    rest -= falls[middle].size;
    ++begin;
  }
  return begin;
}

}  // namespace

// Inputs in the order of how near the point is to where they make the sum small: the first ones keep their
// weights as long as the others at their large ends outweigh them, the next one keeps a part, the rest
// nothing.
std::vector<double> LowestPlane(const HullNeuron& neuron, const SlotRanges& ranges,
                                absl::Span<const float> point) {
  std::vector<Fall> falls;
  falls.reserve(neuron.slots.size());
  double rest = neuron.bias;  // the largest sum with those so far at their small ends
  for (size_t k = 0; k < neuron.slots.size(); ++k) {
    const auto slot = static_cast<size_t>(neuron.slots[k]);
    const double w = neuron.weights[k], low = ranges.lower[slot], high = ranges.upper[slot];
    rest += w * (w >= 0 ? high : low);
    if (!(high > low) || w == 0) continue;
    // What is no number counts as the lower end: the order has to be one.
    const double at = static_cast<double>(point[slot]), x = at >= low ? std::min(at, high) : low;
    falls.push_back({k, (w >= 0 ? x - low : high - x) / (high - low), std::fabs(w) * (high - low)});
  }
  std::vector<double> plane;
  if (!(rest > 0)) return plane;
  const size_t last = SelectFirst(falls, rest);
  if (last == falls.size()) return plane;  // the sum is positive everywhere
  plane.reserve(neuron.weights.size());
  for (const double w : neuron.weights) plane.push_back((neuron.left - neuron.chord_slope) * w);
  const double rise = neuron.right - neuron.left;
  for (size_t k = 0; k < last; ++k) plane[falls[k].input] += rise * neuron.weights[falls[k].input];
  plane[falls[last].input] += rise * neuron.weights[falls[last].input] * rest / falls[last].size;
  return plane;
}

double PlaneConstant(const HullNeuron& neuron, const SlotRanges& ranges, absl::Span<const double> plane) {
  const double up = neuron.convex() ? 1 : -1;  // the mirror image of a concave hinge is bounded from above
  double worst = -std::numeric_limits<double>::infinity();
  for (const double line : {neuron.left, neuron.right}) {
    const double over = line - neuron.chord_slope;
    double sum = up * (over * neuron.bias - neuron.chord_intercept);
    double size = std::fabs(over * neuron.bias) + std::fabs(neuron.chord_intercept);
    for (size_t k = 0; k < neuron.slots.size(); ++k) {
      const auto slot = static_cast<size_t>(neuron.slots[k]);
      const double own = over * neuron.weights[k], entry = up * (own - plane[k]);
      sum += entry * (entry >= 0 ? ranges.upper[slot] : ranges.lower[slot]);
      size += (std::fabs(own) + std::fabs(plane[k])) * ranges.Most(slot);
    }
    // The sum, a product, and what makes its entry; 1.05 as in Proved() (bounds/compact.h).
    const double roundings = static_cast<double>(neuron.slots.size()) + 8;
    const double off = std::fabs(over) * neuron.error + roundings * UnitRoundoff<double>() * size;
    worst = std::max(worst, sum + 1.05 * off);
  }
  return up * worst;
}

}  // namespace espalier::bounds
