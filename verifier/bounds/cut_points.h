// Where planes of neurons (bounds/hull_plane.h) shall be low when many rows are to be bounded with them: for
// each neuron, the mean of what its inputs are at the optima of the rows' relaxations, a row counting as much
// as the neuron's chord matters to it. A neuron's inputs are correlated where its chord is met, and the plane
// that is low there is low for most rows.
//
//   PointSums sums(network);
//   sums.Add(rows, {weights, {}, {}});               // rows bounded on it, with their points
//   const CutPoints points = sums.Means([](size_t) { return true; });
//   maker.Place(points);                             // here, or on what is left below a part of the root
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "verifier/backend/compact.h"

namespace espalier::bounds {

// The row that neuron j of an activation takes.
struct NeuronRow {
  absl::Span<const int32_t> columns;
  absl::Span<const double> values;
  double bias = 0;
};
NeuronRow RowOfNeuron(const backend::CompactNetwork& network, const backend::CompactStage& stage, size_t j);

// Neurons and what they read go by their slots' origins (CompactNetwork), so that the points serve all
// networks that are left of the same one. Immutable; for several threads at once.
struct CutPoints {
  struct Neuron {
    absl::Span<const int32_t> column;  // origins, rising; empty: nothing is known of the neuron
    absl::Span<const float> value;
  };
  Neuron Find(int32_t neuron) const;

  std::vector<int32_t> neuron;    // origins, rising
  std::vector<int64_t> begin{0};  // [neurons + 1]
  std::vector<int32_t> column;
  std::vector<float> value;
};

// Rows that were bounded, with `point` and `coefficients`, on the network of the sums or on one with cuts.
struct PointRows {
  absl::Span<const backend::CompactDomain> rows;
  absl::Span<const double> weights;              // [rows]
  absl::Span<const int32_t> slot_of, neuron_of;  // CutNetwork's; empty: no cuts
};

class PointSums {
 public:
  // `network`: without cuts; outlives the sums.
  explicit PointSums(const backend::CompactNetwork& network);
  void Add(const PointRows& rows);
  // Of the unstable neurons that rows have met, and of these those that `wanted` names by number.
  CutPoints Means(absl::FunctionRef<bool(size_t)> wanted) const;

 private:
  void AddNeuron(const backend::CompactStage& stage, size_t j, const PointRows& rows);

  const backend::CompactNetwork& network_;
  std::vector<int64_t> begin_{0};  // [unstable + 1]
  std::vector<double> sum_;        // [entries of the neurons' rows]
  std::vector<double> weight_;     // [unstable]
};

}  // namespace espalier::bounds
