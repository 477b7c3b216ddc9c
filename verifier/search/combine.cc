#include "verifier/search/combine.h"

#include <algorithm>
#include <cmath>

#include "verifier/bounds/rounding.h"
#include "verifier/search/min_max_lp.h"

namespace espalier::search {
namespace {

constexpr int kSteps = 40;

// Minimum over the box of the weighted bound; fills the minimiser and, per row, its value there.
double Evaluate(const AffineBounds& rows, const double* lower, const double* upper,
                const std::vector<double>& weights, std::vector<double>& point, std::vector<double>& value) {
  const auto n = static_cast<size_t>(rows.inputs), k = static_cast<size_t>(rows.rows);
  double bound = 0, magnitude = 0;
  for (size_t i = 0; i < k; ++i) {
    bound += weights[i] * rows.constant[i];
    magnitude += std::fabs(weights[i] * rows.constant[i]);
  }
  value = rows.constant;
  for (size_t j = 0; j < n; ++j) {
    double slope = 0, absolute = 0;
    for (size_t i = 0; i < k; ++i) {
      slope += weights[i] * rows.lambda[i * n + j];
      absolute += std::fabs(weights[i] * rows.lambda[i * n + j]);
    }
    point[j] = slope > 0 ? lower[j] : upper[j];
    bound += slope * point[j];
    magnitude += absolute * std::max(std::fabs(lower[j]), std::fabs(upper[j]));
    for (size_t i = 0; i < k; ++i) value[i] += rows.lambda[i * n + j] * point[j];
  }
  return bound - bounds::Gamma<double>(static_cast<double>(n + k) + 8.0) * magnitude;
}

double LargestRow(const AffineBounds& rows, const std::vector<double>& point) {
  double largest = -INFINITY;
  for (size_t i = 0; i < static_cast<size_t>(rows.rows); ++i) {
    double value = rows.constant[i];
    for (size_t j = 0; j < point.size(); ++j) value += rows.lambda[i * point.size() + j] * point[j];
    largest = std::max(largest, value);
  }
  return largest;
}

// The program in coordinates of its own box, [0, 1] each, and in units of each row's own size: a solver's
// absolute tolerances mean the same on every box. Positive factors of rows change no sign of a combination.
struct Scaled {
  AffineBounds rows;
  std::vector<double> size;  // [rows]
};

Scaled Scale(const AffineBounds& rows, const double* lower, const double* upper) {
  const auto n = static_cast<size_t>(rows.inputs), k = static_cast<size_t>(rows.rows);
  Scaled scaled{rows, std::vector<double>(k)};
  for (size_t i = 0; i < k; ++i) {
    double& constant = scaled.rows.constant[i];
    double size = 0;
    for (size_t j = 0; j < n; ++j) {
      double& slope = scaled.rows.lambda[i * n + j];
      constant += slope * lower[j];
      slope *= upper[j] - lower[j];
      size += std::fabs(slope);
    }
    size = std::max(size, std::fabs(constant));
    if (!(size > 0)) size = 1;
    scaled.size[i] = size;
    constant /= size;
    for (size_t j = 0; j < n; ++j) scaled.rows.lambda[i * n + j] /= size;
  }
  return scaled;
}

void Solve(const AffineBounds& rows, const double* lower, const double* upper, const StopToken& stop,
           Combination& best) {
  const auto n = static_cast<size_t>(rows.inputs);
  const Scaled scaled = Scale(rows, lower, upper);
  const AffineBounds none{.rows = 0, .inputs = rows.inputs, .lambda = {}, .constant = {}};
  const std::vector<double> zero(n, 0.0), one(n, 1.0);
  MinMaxAnswer answer = SolveMinMax(scaled.rows, none, zero.data(), one.data(), stop);
  if (!answer.solved) return;
  double sum = 0;
  for (size_t i = 0; i < answer.weights.size(); ++i) sum += answer.weights[i] /= scaled.size[i];
  if (!(sum > 0) || !std::isfinite(sum)) return;
  for (double& w : answer.weights) w /= sum;
  std::vector<double> value, point(n);
  const double bound = Evaluate(rows, lower, upper, answer.weights, point, value);
  for (size_t j = 0; j < n; ++j)
    best.point[j] = std::clamp(lower[j] + answer.point[j] * (upper[j] - lower[j]), lower[j], upper[j]);
  if (bound > best.bound) best.bound = bound, best.weights = answer.weights;
}

}  // namespace

void Append(const AffineBounds& more, AffineBounds& rows) {
  if (more.rows == 0) return;
  rows.rows += more.rows;
  rows.inputs = more.inputs;
  rows.lambda.insert(rows.lambda.end(), more.lambda.begin(), more.lambda.end());
  rows.constant.insert(rows.constant.end(), more.constant.begin(), more.constant.end());
}

Combination BestCombination(const AffineBounds& rows, const double* lower, const double* upper,
                            const StopToken& stop) {
  const auto k = static_cast<size_t>(rows.rows);
  Combination best;
  best.bound = -INFINITY;
  std::vector<double> weights(k, 1.0 / static_cast<double>(k)), value;
  std::vector<double> point(static_cast<size_t>(rows.inputs)), average(point.size(), 0.0);
  double total = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double bound = Evaluate(rows, lower, upper, weights, point, value);
    if (bound > best.bound || best.weights.empty()) best = {weights, bound, {}};
    const double share = 1.0 + step;  // later minimisers count more
    total += share;
    for (size_t j = 0; j < point.size(); ++j) average[j] += share * (point[j] - average[j]) / total;
    const auto [low, high] = std::minmax_element(value.begin(), value.end());
    const double spread = *high - *low;
    if (!(spread > 0) || !std::isfinite(spread)) break;
    // Rows that are high at the minimiser gain weight.
    const double rate = 4.0 / (1.0 + 0.5 * static_cast<double>(step));
    double sum = 0;
    for (size_t i = 0; i < k; ++i) sum += weights[i] *= std::exp(rate * (value[i] - *high) / spread);
    for (double& w : weights) w = std::max(w / sum, 1e-12);
  }
  for (size_t j = 0; j < average.size(); ++j) average[j] = std::clamp(average[j], lower[j], upper[j]);
  best.point = std::move(average);
  // Some row is positive at the averaged point, so the program's value may be: worth an exact solution.
  if (!(best.bound > 0) && LargestRow(rows, best.point) > 0) Solve(rows, lower, upper, stop, best);
  return best;
}

}  // namespace espalier::search
