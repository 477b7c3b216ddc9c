#include "verifier/bounds/cut_points.h"

#include <algorithm>
#include <cmath>

namespace espalier::bounds {

using backend::CompactStage;

NeuronRow RowOfNeuron(const backend::CompactNetwork& network, const CompactStage& stage, size_t j) {
  const CompactStage& source = network.stages[static_cast<size_t>(stage.source_stage)];
  const auto r = static_cast<size_t>(stage.source[j] - source.begin);
  const auto begin = static_cast<size_t>(source.rows.begin[r]);
  const size_t count = static_cast<size_t>(source.rows.begin[r + 1]) - begin;
  return {absl::MakeConstSpan(source.rows.column).subspan(begin, count),
          absl::MakeConstSpan(source.rows.value).subspan(begin, count), source.bias[r]};
}

CutPoints::Neuron CutPoints::Find(int32_t origin) const {
  const auto at = std::lower_bound(neuron.begin(), neuron.end(), origin);
  if (at == neuron.end() || *at != origin) return {};
  const auto n = static_cast<size_t>(at - neuron.begin());
  const auto first = static_cast<size_t>(begin[n]), count = static_cast<size_t>(begin[n + 1]) - first;
  return {absl::MakeConstSpan(column).subspan(first, count),
          absl::MakeConstSpan(value).subspan(first, count)};
}

PointSums::PointSums(const backend::CompactNetwork& network)
    : network_(network), weight_(static_cast<size_t>(network.unstable()), 0.0) {
  for (const CompactStage& stage : network.stages) {
    for (size_t j = 0; j < stage.source.size(); ++j) {
      begin_.push_back(begin_.back() + static_cast<int64_t>(RowOfNeuron(network, stage, j).columns.size()));
    }
  }
  sum_.assign(static_cast<size_t>(begin_.back()), 0.0);
}

void PointSums::Add(const PointRows& rows) {
  for (const CompactStage& stage : network_.stages) {
    const size_t count = stage.source.size();
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t j = 0; j < count; ++j) AddNeuron(stage, j, rows);
  }
}

// Row after row, so that the sums do not depend on the threads.
void PointSums::AddNeuron(const CompactStage& stage, size_t j, const PointRows& all) {
  const size_t u = static_cast<size_t>(stage.first_unstable) + j;
  const size_t number = all.neuron_of.empty() ? u : static_cast<size_t>(all.neuron_of[u]);
  const double on_chord = network_.lines.left[u] < network_.lines.right[u] ? -1 : 1;
  const absl::Span<const int32_t> columns = RowOfNeuron(network_, stage, j).columns;
  double* sum = sum_.data() + begin_[u];
  for (size_t r = 0; r < all.rows.size(); ++r) {
    const backend::CompactDomain& row = all.rows[r];
    if (number >= row.coefficients.size()) continue;  // the row begins before it, or has no point
    const double weight = on_chord * static_cast<double>(row.coefficients[number]) * all.weights[r];
    if (!(weight > 0) || !std::isfinite(weight)) continue;
    weight_[u] += weight;
    for (size_t k = 0; k < columns.size(); ++k) {
      const auto slot = static_cast<size_t>(columns[k]);
      const size_t at = all.slot_of.empty() ? slot : static_cast<size_t>(all.slot_of[slot]);
      sum[k] += weight * static_cast<double>(row.point[at]);
    }
  }
}

CutPoints PointSums::Means(absl::FunctionRef<bool(size_t)> wanted) const {
  CutPoints points;
  for (const CompactStage& stage : network_.stages) {
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const size_t u = static_cast<size_t>(stage.first_unstable) + j;
      if (!(weight_[u] > 0) || !wanted(u)) continue;
      points.neuron.push_back(network_.origin[static_cast<size_t>(stage.begin) + j]);
      const absl::Span<const int32_t> columns = RowOfNeuron(network_, stage, j).columns;
      for (size_t k = 0; k < columns.size(); ++k) {
        points.column.push_back(network_.origin[static_cast<size_t>(columns[k])]);
        points.value.push_back(static_cast<float>(sum_[static_cast<size_t>(begin_[u]) + k] / weight_[u]));
      }
      points.begin.push_back(static_cast<int64_t>(points.column.size()));
    }
  }
  return points;
}

}  // namespace espalier::bounds
