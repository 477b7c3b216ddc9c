#include "verifier/bounds/compact.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "verifier/backend/neuron_math.h"
#include "verifier/bounds/compact_merge.h"
#include "verifier/bounds/rounding.h"
#include "verifier/ir/compose.h"
#include "verifier/ir/entries.h"

namespace espalier::bounds {
namespace {

// A neuron's value as scale * (value of slot) + shift; without a slot it is constant.
struct Expression {
  int32_t slot = -1;
  double scale = 0, shift = 0;
};

// What becomes of a neuron behind a hinge.
enum class Fate { kLinear, kUnstable };

class Builder {
 public:
  Builder(const Plan& plan, const std::vector<LayerBox>& layers, const Relaxation<double>& relaxation)
      : plan_(plan), layers_(layers), relaxation_(relaxation), nodes_(plan.network().nodes) {}

  backend::CompactNetwork Build(const InputBoxes& boxes);

 private:
  void MarkNeeded();
  void MarkBehind(const ir::NetworkNode& node, int activation, const std::vector<double>& wanted);
  double SlopeOf(int activation, size_t i) const;
  Fate FateOf(int activation, size_t i) const;
  void AddAffine(ir::NodeId id);
  void AddActivation(ir::NodeId id);
  // Adds a row's slot, what it sums up in magnitude, and in how many roundings each part of that.
  struct RowSize {
    double entries = 0, bias = 0;
    int64_t repeats = 0, constants = 0;  // most entries that meet one slot; what the bias is the sum of
  };
  void NoteRow(const RowSize& size);
  void NoteReach(int activation, size_t i, int32_t slot);

  const Plan& plan_;
  const std::vector<LayerBox>& layers_;
  const Relaxation<double>& relaxation_;
  const std::vector<ir::NetworkNode>& nodes_;
  std::vector<std::vector<double>> needed_;     // per node and neuron: > 0 when something reads it
  std::vector<std::vector<Expression>> value_;  // per node and neuron
  std::vector<std::vector<char>> unstable_;     // per activation and neuron
  std::vector<int32_t> stage_of_;               // per affine node
  std::vector<double> reach_;                   // per slot: bound on |value|
  int32_t next_origin_ = 0;
  std::vector<int32_t> first_of_;  // per node: its first neuron's origin
  backend::CompactNetwork out_;
};

double Builder::SlopeOf(int activation, size_t i) const {
  return SlopeBetween(plan_.hinge(activation), layers_[static_cast<size_t>(activation)], i);
}

Fate Builder::FateOf(int activation, size_t i) const {
  return unstable_[static_cast<size_t>(activation)][i] != 0 ? Fate::kUnstable : Fate::kLinear;
}

void Builder::MarkBehind(const ir::NetworkNode& node, int activation, const std::vector<double>& wanted) {
  if (node.kind == ir::NodeKind::kAffine) {
    for (const ir::AffineTerm& term : node.terms) {
      ir::AbsApplyTransposed(*term.map, wanted, needed_[static_cast<size_t>(term.predecessor)]);
    }
    return;
  }
  std::vector<double>& before = needed_[static_cast<size_t>(node.predecessor)];
  for (size_t i = 0; i < wanted.size(); ++i) {
    // An unstable neuron that nothing reads may still be split, and then its multiplier does.
    const bool unstable = FateOf(activation, i) == Fate::kUnstable;
    if (unstable || (wanted[i] > 0 && SlopeOf(activation, i) != 0)) before[i] = 1;
  }
}

void Builder::MarkNeeded() {
  needed_.resize(nodes_.size());
  for (size_t n = 0; n < nodes_.size(); ++n) needed_[n].assign(static_cast<size_t>(nodes_[n].size), 0.0);
  const auto output = static_cast<size_t>(plan_.network().output);
  std::fill(needed_[output].begin(), needed_[output].end(), 1.0);
  for (size_t n = nodes_.size(); n-- > 1;) {
    std::vector<double> wanted = needed_[n];
    for (double& w : wanted) w = w > 0 ? 1 : 0;  // sums of |weights| could overflow along the way
    MarkBehind(nodes_[n], plan_.node(static_cast<ir::NodeId>(n)).activation, wanted);
  }
}

void Builder::NoteRow(const RowSize& size) {
  const double magnitude = (size.entries + size.bias) * kAgainstRounding;
  out_.magnitude.push_back(magnitude);
  out_.rounding.push_back((static_cast<double>(size.repeats + 3) * size.entries +
                           static_cast<double>(size.constants + 3) * size.bias) *
                          kAgainstRounding);
  reach_.push_back(magnitude);
}

// What the root's bounds say of a pre-activation.
void Builder::NoteReach(int activation, size_t i, int32_t slot) {
  if (slot < 0) return;
  const LayerBox& box = layers_[static_cast<size_t>(activation)];
  const double known = std::max(std::fabs(box.lower[i]), std::fabs(box.upper[i]));
  double& reach = reach_[static_cast<size_t>(slot)];
  if (known < reach) reach = known;
}

void Builder::AddAffine(ir::NodeId id) {
  const auto n = static_cast<size_t>(id);
  const ir::NetworkNode& node = nodes_[n];
  backend::CompactStage stage;
  stage.begin = out_.slots;
  std::vector<int32_t> row_of(needed_[n].size(), -1);
  std::vector<double> bias;
  std::vector<RowSize> size;
  value_[n].resize(needed_[n].size());
  for (size_t i = 0; i < needed_[n].size(); ++i) {
    if (!(needed_[n][i] > 0)) continue;
    row_of[i] = static_cast<int32_t>(bias.size());
    value_[n][i] = {out_.slots++, 1, 0};
    out_.origin.push_back(first_of_[n] + static_cast<int32_t>(i));
    bias.push_back(node.bias[i]);
    size.push_back({.bias = std::fabs(node.bias[i])});
  }
  // Entries of a row that meet the same slot add up; they come by rows for no map in particular, so they are
  // gathered per row first.
  std::vector<std::vector<std::pair<int32_t, double>>> rows(bias.size());
  for (const ir::AffineTerm& term : node.terms) {
    const std::vector<Expression>& source = value_[static_cast<size_t>(term.predecessor)];
    ir::ForEachEntry(*term.map, [&](double coefficient, int64_t row, int64_t column) {
      const int32_t r = row_of[static_cast<size_t>(row)];
      if (r < 0) return;
      const Expression& e = source[static_cast<size_t>(column)];
      RowSize& own = size[static_cast<size_t>(r)];
      bias[static_cast<size_t>(r)] += coefficient * e.shift;
      own.bias += std::fabs(coefficient * e.shift);
      own.constants += e.shift != 0;
      if (e.slot < 0) return;
      rows[static_cast<size_t>(r)].emplace_back(e.slot, coefficient * e.scale);
      own.entries += std::fabs(coefficient * e.scale) * reach_[static_cast<size_t>(e.slot)];
    });
  }
  size_t entries = 0;
  for (const auto& row : rows) entries += row.size();
  stage.rows.column.reserve(entries);
  stage.rows.value.reserve(entries);
  for (size_t r = 0; r < rows.size(); ++r) {
    auto& row = rows[r];
    int64_t repeats = 0;
    std::stable_sort(row.begin(), row.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
    for (size_t k = 0; k < row.size(); ++k) {
      if (k > 0 && row[k].first == row[k - 1].first) {
        stage.rows.value.back() += row[k].second;
        size[r].repeats = std::max(size[r].repeats, ++repeats);
        continue;
      }
      repeats = 0;
      stage.rows.column.push_back(row[k].first);
      stage.rows.value.push_back(row[k].second);
    }
    NoteRow(size[r]);
    stage.rows.begin.push_back(static_cast<int64_t>(stage.rows.column.size()));
  }
  stage.bias = std::move(bias);
  stage_of_[n] = static_cast<int32_t>(out_.stages.size());
  out_.stages.push_back(std::move(stage));
}

// All unstable neurons get a slot, read or not, so that they are numbered as the search numbers them.
void Builder::AddActivation(ir::NodeId id) {
  const auto n = static_cast<size_t>(id);
  const int activation = plan_.node(id).activation;
  const ir::HingeLayer& hinge = plan_.hinge(activation);
  const auto before = static_cast<size_t>(nodes_[n].predecessor);
  backend::CompactStage stage;
  stage.begin = out_.slots;
  stage.source_stage = stage_of_[before];
  stage.first_unstable = static_cast<int32_t>(out_.lines.left.size());
  value_[n].resize(hinge.left.size());
  for (size_t i = 0; i < hinge.left.size(); ++i) {
    const Expression& x = value_[before][i];
    NoteReach(activation, i, x.slot);
    if (FateOf(activation, i) == Fate::kLinear) {
      const double slope = SlopeOf(activation, i);
      const bool constant = x.slot < 0 || slope == 0;
      value_[n][i] = {constant ? -1 : x.slot, slope * x.scale, hinge.intercept[i] + slope * x.shift};
      continue;
    }
    AppendCompactLine(hinge, layers_[static_cast<size_t>(activation)], i, out_.lines);
    stage.source.push_back(x.slot);
    const double reach = std::max(std::fabs(hinge.left[i]), std::fabs(hinge.right[i])) *
                         reach_[static_cast<size_t>(x.slot)] * kAgainstRounding;
    out_.magnitude.push_back(reach);
    out_.rounding.push_back(0);
    reach_.push_back(reach);
    value_[n][i] = {out_.slots++, 1, hinge.intercept[i]};
    out_.origin.push_back(first_of_[n] + static_cast<int32_t>(i));
  }
  out_.stages.push_back(std::move(stage));
}

backend::CompactNetwork Builder::Build(const InputBoxes& boxes) {
  for (size_t a = 0; a < layers_.size(); ++a) {
    unstable_.emplace_back(plan_.hinge(static_cast<int>(a)).left.size(), char{0});
    for (int32_t i : relaxation_.unstable(static_cast<int>(a))) unstable_[a][static_cast<size_t>(i)] = 1;
  }
  MarkNeeded();
  value_.resize(nodes_.size());
  for (const ir::NetworkNode& node : nodes_) {
    first_of_.push_back(next_origin_);
    next_origin_ += static_cast<int32_t>(node.size);
  }
  stage_of_.assign(nodes_.size(), -1);
  out_.inputs = out_.slots = static_cast<int32_t>(nodes_[0].size);
  for (int32_t i = 0; i < out_.inputs; ++i) {
    const auto at = static_cast<size_t>(i);
    value_[0].push_back({i, 1, 0});
    reach_.push_back(std::max(std::fabs(boxes.lower[at]), std::fabs(boxes.upper[at])));
  }
  out_.magnitude = reach_;
  out_.origin.resize(reach_.size());
  std::iota(out_.origin.begin(), out_.origin.end(), 0);
  out_.rounding.assign(reach_.size(), 0.0);
  const ir::NodeId output = plan_.network().output;
  for (ir::NodeId id = 1; id <= output; ++id) {
    if (id == output) out_.first_output = out_.slots;
    nodes_[static_cast<size_t>(id)].kind == ir::NodeKind::kAffine ? AddAffine(id) : AddActivation(id);
  }
  out_.lower = boxes.lower;
  out_.upper = boxes.upper;
  return std::move(out_);
}

}  // namespace

double SlopeBetween(const ir::HingeLayer& hinge, const LayerBox& box, size_t i) {
  return hinge.left[i] == hinge.right[i] || box.lower[i] >= 0 ? hinge.right[i] : hinge.left[i];
}

void AppendCompactLine(const ir::HingeLayer& hinge, const LayerBox& box, size_t i,
                       backend::CompactLines& lines) {
  const bool linear = hinge.left[i] == hinge.right[i] || box.lower[i] >= 0 || box.upper[i] <= 0;
  const double slope = SlopeBetween(hinge, box, i);
  const double left = linear ? slope : hinge.left[i], right = linear ? slope : hinge.right[i];
  const backend::HingeLines<double> line =
      backend::LinesOfHinge<double>(left, right, box.lower[i], box.upper[i]);
  lines.left.push_back(left);
  lines.right.push_back(right);
  lines.chord_slope.push_back(line.chord_slope);
  lines.chord_intercept.push_back(line.chord_intercept);
  lines.free_start.push_back(line.free_start);
}

// Scales count roundings to first order; 1.05 is more than what n roundings compound to (n < 2^40, n·u <
// 2^-12) and what the sums that make a scale lose.
double Proved(const backend::CompactClaim& claim, double offset_error) {
  const double proved = claim.bound - 1.0001 * (1.05 * UnitRoundoff<double>() * claim.scale + offset_error);
  return std::isnan(proved) ? -std::numeric_limits<double>::infinity() : proved;
}

std::optional<backend::CompactNetwork> MakeCompactNetwork(const Plan& plan, const InputBoxes& boxes,
                                                          const std::vector<LayerBox>& layers,
                                                          const Relaxation<double>& relaxation,
                                                          int64_t max_work) {
  if (0.5 * plan.flops_per_pass() > static_cast<double>(max_work)) return std::nullopt;
  // Nodes behind the output would need slots of their own; no model that lowering makes has any.
  if (plan.network().output + 1 != static_cast<ir::NodeId>(plan.nodes().size())) return std::nullopt;
  backend::CompactNetwork network = Builder(plan, layers, relaxation).Build(boxes);
  MergeLinearSlots(network);
  return network;
}

}  // namespace espalier::bounds
