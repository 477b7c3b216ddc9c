#include <algorithm>
#include <limits>

#include "tests/property/random_network.h"

namespace espalier::testing {
namespace {

constexpr int kSamples = 300;

double RowValue(const api::LinearRow& row, const std::vector<double>& input,
                const std::vector<double>& output) {
  double sum = 0;
  for (const auto& [index, factor] : row.input) sum += factor * input[static_cast<size_t>(index)];
  for (const auto& [index, factor] : row.output) sum += factor * output[static_cast<size_t>(index)];
  return sum;
}

api::LinearRow RandomRow(Random& random, int64_t inputs, int64_t outputs, double input_terms) {
  api::LinearRow row;
  const int64_t terms = std::min<int64_t>(outputs, random.Int(1, 3));
  const int64_t first = random.Int(0, outputs - 1);
  for (int64_t k = 0; k < terms; ++k) {
    row.output.emplace_back(static_cast<int32_t>((first + k) % outputs), random.Normal());
  }
  if (random.Chance(input_terms)) {
    row.input.emplace_back(static_cast<int32_t>(random.Int(0, inputs - 1)), random.Normal());
  }
  return row;
}

std::vector<double> Output(const ir::Network& network, const std::vector<double>& input) {
  return ir::EvaluateNodes(network, StoredOrder(network, input))[static_cast<size_t>(network.output)];
}

// Moves all right-hand sides together: the best of the samples then misses (or enters) the unsafe set by a
// random part of the spread of the samples' margins.
void SetRightHandSides(Random& random, const ir::Network& network, const api::Box& box, bool safe,
                       api::Disjunct& disjunct) {
  if (disjunct.rows.empty()) return;
  const std::vector<double> anchor = RandomPoint(random, box);
  const std::vector<double> at_anchor = Output(network, anchor);
  for (api::LinearRow& row : disjunct.rows) row.rhs = RowValue(row, anchor, at_anchor);
  double best = std::numeric_limits<double>::infinity(), worst = -best;
  for (int i = 0; i < kSamples; ++i) {
    const double margin = DisjunctMargin(network, disjunct, RandomPoint(random, box));
    best = std::min(best, margin);
    worst = std::max(worst, margin);
  }
  const double gap = safe ? random.Uniform(0, 0.3) : random.Uniform(-0.3, 0);
  for (api::LinearRow& row : disjunct.rows) row.rhs += best - gap * (worst - best);
}

}  // namespace

api::Box RandomBox(Random& random, int64_t inputs, double max_radius) {
  api::Box box;
  for (int64_t i = 0; i < inputs; ++i) {
    const double centre = random.Uniform(-1, 1);
    const double radius = random.Chance(0.05) ? 0.0 : random.Uniform(0, max_radius);
    box.lower.push_back(centre - radius);
    box.upper.push_back(centre + radius);
  }
  return box;
}

std::vector<double> RandomPoint(Random& random, const api::Box& box) {
  std::vector<double> point(box.lower.size());
  for (size_t i = 0; i < point.size(); ++i) {
    point[i] = random.Uniform(box.lower[i], box.upper[i]);
    if (random.Chance(0.2)) point[i] = random.Chance(0.5) ? box.lower[i] : box.upper[i];
    point[i] = std::clamp(point[i], box.lower[i], box.upper[i]);
  }
  return point;
}

api::Property RandomProperty(Random& random, const ir::Network& network, const PropertyShape& shape) {
  api::Property property;
  property.input_size = network.input_size();
  property.output_size = network.output_size();
  const int64_t boxes = random.Int(1, shape.boxes);
  for (int64_t b = 0; b < boxes; ++b) {
    property.boxes.push_back(RandomBox(random, property.input_size, shape.max_radius));
  }
  const int64_t disjuncts = random.Int(1, shape.disjuncts);
  const bool safe = random.Chance(0.6);
  const int64_t unsafe_one = random.Int(0, disjuncts - 1);
  for (int64_t d = 0; d < disjuncts; ++d) {
    api::Disjunct disjunct;
    disjunct.box = static_cast<int32_t>(random.Int(0, boxes - 1));
    const int64_t rows = random.Int(1, shape.rows);
    for (int64_t r = 0; r < rows; ++r) {
      disjunct.rows.push_back(
          RandomRow(random, property.input_size, property.output_size, shape.input_terms));
    }
    SetRightHandSides(random, network, property.boxes[static_cast<size_t>(disjunct.box)],
                      safe || d != unsafe_one, disjunct);
    property.disjuncts.push_back(std::move(disjunct));
  }
  return property;
}

std::vector<double> StoredOrder(const ir::Network& network, const std::vector<double>& input) {
  std::vector<double> stored(input.size());
  for (size_t i = 0; i < stored.size(); ++i) stored[i] = input[static_cast<size_t>(network.input_order[i])];
  return stored;
}

double DisjunctMargin(const ir::Network& network, const api::Disjunct& disjunct,
                      const std::vector<double>& input) {
  const std::vector<double> output = Output(network, input);
  double margin = -std::numeric_limits<double>::infinity();
  for (const api::LinearRow& row : disjunct.rows)
    margin = std::max(margin, RowValue(row, input, output) - row.rhs);
  return margin;
}

}  // namespace espalier::testing
