#include "verifier/bounds/cuts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "verifier/bounds/hull_plane.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

using backend::CompactNetwork;
using backend::CompactStage;

// Planes that lie less than this share of the chord's gap below it are not worth their entries.
constexpr double kLeastShare = 1e-3;
constexpr size_t kFewNeurons = 32;  // are not worth a second thread

// The values of slots at points of the root's region, stage after stage.
class RangeMaker {
 public:
  RangeMaker(const CompactNetwork& network, const NeuronRanges& known, SlotRanges& ranges)
      : network_(network), known_(known), ranges_(ranges) {}

  void Add(const CompactStage& stage) {
    AddRows(stage);
    for (size_t j = 0; j < stage.source.size(); ++j) AddNeuron(stage, j);
  }

 private:
  // Interval arithmetic, with what a row may be off by and what its sum loses.
  void AddRows(const CompactStage& stage) {
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      double low = stage.bias[r], high = stage.bias[r], size = std::fabs(stage.bias[r]);
      const int64_t begin = stage.rows.begin[r], end = stage.rows.begin[r + 1];
      for (int64_t k = begin; k < end; ++k) {
        const auto slot = static_cast<size_t>(stage.rows.column[static_cast<size_t>(k)]);
        const double w = stage.rows.value[static_cast<size_t>(k)];
        low += w * (w >= 0 ? ranges_.lower[slot] : ranges_.upper[slot]);
        high += w * (w >= 0 ? ranges_.upper[slot] : ranges_.lower[slot]);
        size += std::fabs(w) * ranges_.Most(slot);
      }
      const auto slot = static_cast<size_t>(stage.begin) + r;
      const double off = 1.05 * UnitRoundoff<double>() *
                         (network_.rounding[slot] + static_cast<double>(end - begin + 4) * size);
      ranges_.lower[slot] = low - off;
      ranges_.upper[slot] = high + off;
    }
  }

  void AddNeuron(const CompactStage& stage, size_t j) {
    const size_t u = static_cast<size_t>(stage.first_unstable) + j;
    const double l = known_.lower[u], h = known_.upper[u];
    const auto source = static_cast<size_t>(stage.source[j]), slot = static_cast<size_t>(stage.begin) + j;
    ranges_.lower[source] = std::max(ranges_.lower[source], l);
    ranges_.upper[source] = std::min(ranges_.upper[source], h);
    const double left = network_.lines.left[u], right = network_.lines.right[u];
    // The hinge is monotone on either side of its kink, where it is zero.
    const auto [low, high] = std::minmax({std::min(l, 0.0) * left, std::max(l, 0.0) * right,
                                          std::min(h, 0.0) * left, std::max(h, 0.0) * right, 0.0});
    ranges_.lower[slot] = low * (low < 0 ? kAgainstRounding : 1);
    ranges_.upper[slot] = high * (high > 0 ? kAgainstRounding : 1);
  }

  const CompactNetwork& network_;
  const NeuronRanges& known_;
  SlotRanges& ranges_;
};

HullNeuron NeuronOf(const CompactNetwork& network, const CompactStage& stage, size_t j) {
  const NeuronRow row = RowOfNeuron(network, stage, j);
  const size_t u = static_cast<size_t>(stage.first_unstable) + j;
  const backend::CompactLines& lines = network.lines;
  return {.slots = row.columns,
          .weights = row.values,
          .bias = row.bias,
          .error = 1.05 * UnitRoundoff<double>() * network.rounding[static_cast<size_t>(stage.source[j])],
          .left = lines.left[u],
          .right = lines.right[u],
          .chord_slope = lines.chord_slope[u],
          .chord_intercept = lines.chord_intercept[u]};
}

// How far the plane lies above the chord at the point; for a concave neuron, below.
double Above(const HullNeuron& neuron, const SlotRanges& ranges, absl::Span<const float> point,
             const CutPlane& plane) {
  double above = plane.constant;
  for (size_t k = 0; k < plane.coefficients.size(); ++k) {
    const auto slot = static_cast<size_t>(neuron.slots[k]);
    above += plane.coefficients[k] *
             std::min(std::max(static_cast<double>(point[slot]), ranges.lower[slot]), ranges.upper[slot]);
  }
  return neuron.convex() ? above : -above;
}

// The network once more, with what is inserted before its activations.
class CutBuilder {
 public:
  CutBuilder(const CompactNetwork& network, const SlotRanges& ranges, const std::vector<CutPlane>& planes,
             CutNumbers numbers)
      : network_(network), ranges_(ranges), planes_(planes), numbers_(numbers) {}
  CutNetwork Build(int32_t end);

 private:
  void AddCuts(const CompactStage& stage);
  void AddPlane(const HullNeuron& neuron, const CutPlane& plane, CompactStage& rows);
  void AddLine(bool convex);
  void Copy(const CompactStage& stage);
  void CopyLines(const CompactStage& stage, CompactStage& own);
  int32_t Number(int32_t slot) const { return number_[static_cast<size_t>(slot)]; }

  const CompactNetwork& network_;
  const SlotRanges& ranges_;
  const std::vector<CutPlane>& planes_;
  const CutNumbers numbers_;
  CutNetwork out_;
  std::vector<int32_t> number_;        // [slots] in what is built
  std::vector<int32_t> stage_number_;  // of the stages
};

void CutBuilder::AddPlane(const HullNeuron& neuron, const CutPlane& plane, CompactStage& rows) {
  double size = std::fabs(plane.constant);
  for (size_t k = 0; k < plane.coefficients.size(); ++k) {
    rows.rows.column.push_back(Number(neuron.slots[k]));
    rows.rows.value.push_back(plane.coefficients[k]);
    size += std::fabs(plane.coefficients[k]) * ranges_.Most(static_cast<size_t>(neuron.slots[k]));
  }
  rows.rows.begin.push_back(static_cast<int64_t>(rows.rows.column.size()));
  rows.bias.push_back(plane.constant);
  // The row is what the plane is: it is off by nothing.
  out_.network.magnitude.push_back(size * kAgainstRounding);
  out_.network.rounding.push_back(0);
  out_.network.origin.push_back(-1);
}

// min(0, d) for a convex neuron, max(0, d) for a concave one, half of it at first. Its coefficients have the
// sign that its free line bounds, so that it needs no chord.
void CutBuilder::AddLine(bool convex) {
  backend::CompactLines& lines = out_.network.lines;
  lines.left.push_back(convex ? 1 : 0);
  lines.right.push_back(convex ? 0 : 1);
  lines.chord_slope.push_back(0);
  lines.chord_intercept.push_back(0);
  lines.free_start.push_back(0.5);
}

void CutBuilder::AddCuts(const CompactStage& stage) {
  CompactStage rows, cuts;
  rows.begin = out_.network.slots;
  cuts.first_unstable = static_cast<int32_t>(out_.network.lines.size());
  for (size_t j = 0; j < stage.source.size(); ++j) {
    const CutPlane& plane = planes_[static_cast<size_t>(stage.first_unstable) + j];
    if (plane.points == 0) continue;
    const HullNeuron neuron = NeuronOf(network_, stage, j);
    AddPlane(neuron, plane, rows);
    AddLine(neuron.convex());
    cuts.source.push_back(rows.begin + static_cast<int32_t>(cuts.source.size()));
    cuts.cut_of.push_back(static_cast<int32_t>(j));
  }
  if (cuts.source.empty()) return;
  const int32_t count = cuts.size();
  cuts.begin = rows.begin + count;
  cuts.source_stage = static_cast<int32_t>(out_.network.stages.size());
  // |min(0, d)| <= |d|
  std::vector<double>& magnitude = out_.network.magnitude;
  for (int32_t i = 0; i < count; ++i) magnitude.push_back(magnitude[static_cast<size_t>(rows.begin + i)]);
  out_.network.rounding.resize(magnitude.size(), 0.0);
  out_.network.origin.resize(magnitude.size(), -1);
  out_.network.slots += 2 * count;
  out_.network.stages.push_back(std::move(rows));
  out_.network.stages.push_back(std::move(cuts));
}

// The stage's neurons get the next numbers.
void CutBuilder::CopyLines(const CompactStage& stage, CompactStage& own) {
  const backend::CompactLines& from = network_.lines;
  backend::CompactLines& to = out_.network.lines;
  own.first_unstable = static_cast<int32_t>(to.size());
  const auto first = stage.first_unstable, end = first + static_cast<int32_t>(stage.source.size());
  for (int32_t u = first; u < end; ++u) {
    out_.neuron_of[static_cast<size_t>(u)] = own.first_unstable + u - first;
  }
  const auto copy = [&](const std::vector<double>& values, std::vector<double>& into) {
    into.insert(into.end(), values.begin() + first, values.begin() + end);
  };
  copy(from.left, to.left);
  copy(from.right, to.right);
  copy(from.chord_slope, to.chord_slope);
  copy(from.chord_intercept, to.chord_intercept);
  copy(from.free_start, to.free_start);
}

void CutBuilder::Copy(const CompactStage& stage) {
  CompactNetwork& to = out_.network;
  CompactStage own = stage;
  own.begin = to.slots;
  if (numbers_ == CutNumbers::kInPlace) CopyLines(stage, own);
  for (int32_t& slot : own.rows.column) slot = Number(slot);
  for (int32_t& slot : own.source) slot = Number(slot);
  if (own.source_stage >= 0) own.source_stage = stage_number_[static_cast<size_t>(own.source_stage)];
  for (int32_t slot = stage.begin; slot < stage.begin + stage.size(); ++slot) {
    number_[static_cast<size_t>(slot)] = to.slots++;
    to.magnitude.push_back(network_.magnitude[static_cast<size_t>(slot)]);
    to.rounding.push_back(network_.rounding[static_cast<size_t>(slot)]);
    to.origin.push_back(network_.origin[static_cast<size_t>(slot)]);
  }
  stage_number_.push_back(static_cast<int32_t>(to.stages.size()));
  to.stages.push_back(std::move(own));
}

CutNetwork CutBuilder::Build(int32_t end) {
  CompactNetwork& to = out_.network;
  to.inputs = to.slots = network_.inputs;
  to.lower = network_.lower;
  to.upper = network_.upper;
  if (numbers_ == CutNumbers::kBehind) to.lines = network_.lines;
  out_.neuron_of.assign(static_cast<size_t>(network_.unstable()), -1);
  if (numbers_ == CutNumbers::kBehind) std::iota(out_.neuron_of.begin(), out_.neuron_of.end(), 0);
  to.magnitude.assign(network_.magnitude.begin(), network_.magnitude.begin() + network_.inputs);
  to.rounding.assign(network_.rounding.begin(), network_.rounding.begin() + network_.inputs);
  to.origin.assign(network_.origin.begin(), network_.origin.begin() + network_.inputs);
  number_.assign(static_cast<size_t>(network_.slots), -1);
  std::iota(number_.begin(), number_.begin() + network_.inputs, 0);
  for (const CompactStage& stage : network_.stages) {
    AddCuts(stage);
    Copy(stage);
    if (end >= 0 && !stage.source.empty() && stage.first_unstable + stage.size() >= end) break;
  }
  to.first_output = Number(network_.first_output);
  out_.slot_of = std::move(number_);
  return std::move(out_);
}

}  // namespace

NeuronRanges RangesOfUnstable(const std::vector<LayerBox>& layers,
                              const std::vector<std::vector<int32_t>>& unstable) {
  NeuronRanges ranges;
  for (size_t a = 0; a < layers.size(); ++a) {
    for (const int32_t i : unstable[a]) {
      ranges.lower.push_back(layers[a].lower[static_cast<size_t>(i)]);
      ranges.upper.push_back(layers[a].upper[static_cast<size_t>(i)]);
    }
  }
  return ranges;
}

CutMaker::CutMaker(const CompactNetwork& network)
    : network_(network),
      ranges_{network.lower, network.upper},
      planes_(static_cast<size_t>(network.unstable())) {
  ranges_.lower.resize(static_cast<size_t>(network.slots));
  ranges_.upper.resize(static_cast<size_t>(network.slots));
}

void CutMaker::Know(const NeuronRanges& ranges, int32_t end) {
  RangeMaker maker(network_, ranges, ranges_);
  for (; stages_ < network_.stages.size(); ++stages_) {
    const CompactStage& stage = network_.stages[stages_];
    if (end >= 0 && !stage.source.empty() && stage.first_unstable >= end) break;
    maker.Add(stage);
  }
}

// Frank and Wolfe's method over the planes of all neurons, which are convex sets: toward the lowest planes at
// the optimum of the relaxation with the planes so far.
bool CutMaker::Improve(const CutPoint& point) {
  bool improved = false;
  for (const CompactStage& stage : network_.stages) {
    const size_t count = stage.source.size();
#pragma omp parallel for schedule(dynamic, 16) reduction(|| : improved) if (count > kFewNeurons)
    for (size_t j = 0; j < count; ++j) {
      const HullNeuron neuron = NeuronOf(network_, stage, j);
      const size_t u = static_cast<size_t>(stage.first_unstable) + j;
      improved = ImproveNeuron(neuron, point.coefficients[u], point.values, planes_[u]) || improved;
    }
  }
  return improved;
}

bool CutMaker::ImproveNeuron(const HullNeuron& neuron, float coefficient, absl::Span<const float> point,
                             CutPlane& plane) const {
  const bool on_chord = neuron.convex() ? coefficient < 0 : coefficient > 0;
  if (neuron.left == neuron.right || !on_chord) return false;
  CutPlane lowest{.coefficients = LowestPlane(neuron, ranges_, point), .points = 1};
  if (lowest.coefficients.empty()) return false;
  lowest.constant = PlaneConstant(neuron, ranges_, lowest.coefficients);
  const double now = plane.points == 0 ? 0.0 : std::min(0.0, Above(neuron, ranges_, point, plane));
  const double least = kLeastShare * std::fabs(neuron.chord_intercept);
  if (!(Above(neuron, ranges_, point, lowest) < now - least)) return false;
  if (plane.points == 0) {
    plane = std::move(lowest);
    return true;
  }
  const double share = 1.0 / static_cast<double>(++plane.points);
  for (size_t k = 0; k < plane.coefficients.size(); ++k) {
    plane.coefficients[k] += share * (lowest.coefficients[k] - plane.coefficients[k]);
  }
  plane.constant = PlaneConstant(neuron, ranges_, plane.coefficients);
  return true;
}

bool CutMaker::Place(const CutPoints& points) {
  bool placed = false;
  for (; placed_ < stages_; ++placed_) {
    const CompactStage& stage = network_.stages[placed_];
    const size_t count = stage.source.size();
#pragma omp parallel reduction(|| : placed) if (count > kFewNeurons)
    {
      std::vector<float> scratch(static_cast<size_t>(network_.slots));
#pragma omp for schedule(dynamic, 16)
      for (size_t j = 0; j < count; ++j) {
        CutPlane& plane = planes_[static_cast<size_t>(stage.first_unstable) + j];
        const int32_t origin = network_.origin[static_cast<size_t>(stage.begin) + j];
        placed = PlaceNeuron(NeuronOf(network_, stage, j), origin, points, scratch, plane) || placed;
      }
    }
  }
  return placed;
}

// Inputs that the points know nothing of count as being in the middle.
bool CutMaker::PlaceNeuron(const HullNeuron& neuron, int32_t origin, const CutPoints& points,
                           std::vector<float>& scratch, CutPlane& plane) const {
  const CutPoints::Neuron at = points.Find(origin);
  if (at.column.empty()) return false;
  size_t k = 0;
  for (const int32_t slot : neuron.slots) {
    const auto s = static_cast<size_t>(slot);
    while (k < at.column.size() && at.column[k] < network_.origin[s]) ++k;
    const bool known = k < at.column.size() && at.column[k] == network_.origin[s];
    scratch[s] = known ? at.value[k] : static_cast<float>(0.5 * (ranges_.lower[s] + ranges_.upper[s]));
  }
  return ImproveNeuron(neuron, neuron.convex() ? -1.0f : 1.0f, scratch, plane);
}

CutNetwork CutMaker::Make(CutNumbers numbers, int32_t end) const {
  return CutBuilder(network_, ranges_, planes_, numbers).Build(end);
}

}  // namespace espalier::bounds
