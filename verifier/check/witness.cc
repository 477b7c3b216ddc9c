#include "verifier/check/witness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "verifier/check/box_point.h"
#include "verifier/check/violation.h"
#include "verifier/ops/ops.h"

namespace espalier::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// One point and what the model makes of it; outputs are empty until they are asked for.
struct Evaluated {
  ModelPoint point;
  std::vector<double> in_double;
  std::vector<double> in_model;
};

// Indices of the boxes nearest to the input.
std::vector<int32_t> NearestBoxes(const api::Property& property, absl::Span<const double> input) {
  double best = kInfinity;
  std::vector<int32_t> nearest;
  for (size_t b = 0; b < property.boxes.size(); ++b) {
    const api::Box& box = property.boxes[b];
    if (box.lower.size() != input.size() || box.upper.size() != input.size()) continue;
    const double distance = DistanceToBox(box, input, best);
    if (!(distance <= best) || distance == kInfinity) continue;
    if (distance < best) nearest.clear();
    best = distance;
    nearest.push_back(static_cast<int32_t>(b));
  }
  return nearest;
}

class Replayer {
 public:
  Replayer(const ir::Graph& graph, const api::Property& property) : graph_(graph), property_(property) {
    const ir::GraphValue& input = graph.values[static_cast<size_t>(graph.inputs.front())];
    double_inputs_ = input.type == ElementType::kFloat64;
  }

  Replay Run(absl::Span<const double> input);

 private:
  Evaluated* Prepare(int32_t box, absl::Span<const double> input);
  bool Evaluate(const std::vector<double>& x, ops::Precision precision, std::vector<double>& y) const;
  Replay Judge(const api::Disjunct& disjunct, Evaluated& evaluated) const;

  const ir::Graph& graph_;
  const api::Property& property_;
  bool double_inputs_ = false;
  // Overlapping boxes mostly give the same point: it is evaluated once.
  std::vector<Evaluated> evaluated_;
  std::vector<std::pair<int32_t, size_t>> of_box_;
};

// The evaluated point of a box, or nullptr when there is none or the graph does not evaluate there.
Evaluated* Replayer::Prepare(int32_t box_index, absl::Span<const double> input) {
  for (const auto& [box, index] : of_box_) {
    if (box == box_index) return &evaluated_[index];
  }
  const api::Box& box = property_.boxes[static_cast<size_t>(box_index)];
  const std::optional<std::vector<double>> clamped = ClampToBox(box, input);
  if (!clamped) return nullptr;
  Evaluated fresh;
  fresh.point = double_inputs_ ? ModelPoint{*clamped, *clamped, false} : RoundInsideBox(box, *clamped);
  for (size_t i = 0; i < evaluated_.size(); ++i) {
    const ModelPoint& known = evaluated_[i].point;
    if (known.reported != fresh.point.reported || known.rounded != fresh.point.rounded) continue;
    of_box_.emplace_back(box_index, i);
    return &evaluated_[i];
  }
  if (!Evaluate(fresh.point.reported, ops::Precision::kFloat64, fresh.in_double)) return nullptr;
  of_box_.emplace_back(box_index, evaluated_.size());
  evaluated_.push_back(std::move(fresh));
  return &evaluated_.back();
}

bool Replayer::Evaluate(const std::vector<double>& x, ops::Precision precision,
                        std::vector<double>& y) const {
  absl::StatusOr<std::vector<double>> result = ops::EvaluateFlat(graph_, x, precision);
  if (!result.ok()) return false;
  y = *std::move(result);
  return true;
}

Replay Replayer::Judge(const api::Disjunct& disjunct, Evaluated& evaluated) const {
  Replay replay;
  const std::vector<double>& x = evaluated.point.reported;
  const std::vector<double>& x_model = evaluated.point.float32;
  replay.margin = ViolationMargin(disjunct, x, evaluated.in_double);
  if (!Violates(disjunct, x, evaluated.in_double)) return replay;
  if (evaluated.in_model.empty() && !Evaluate(x_model, ops::Precision::kModel, evaluated.in_model))
    return replay;
  replay.margin = std::min(replay.margin, ViolationMargin(disjunct, x_model, evaluated.in_model));
  if (!Violates(disjunct, x_model, evaluated.in_model)) return replay;
  replay.witness = api::Witness{x, evaluated.in_model, evaluated.point.rounded};
  replay.robust = std::all_of(disjunct.rows.begin(), disjunct.rows.end(), [&](const api::LinearRow& row) {
    constexpr double kRounding = 8.0 * std::numeric_limits<float>::epsilon();
    const RowSlack in_double = MeasureRow(row, x, evaluated.in_double);
    const RowSlack in_model = MeasureRow(row, x_model, evaluated.in_model);
    const double allowance = 2 * std::abs(in_double.slack - in_model.slack) + kRounding * in_model.scale;
    return std::min(in_double.slack, in_model.slack) > allowance;
  });
  return replay;
}

Replay Replayer::Run(absl::Span<const double> input) {
  Replay best;
  best.margin = -kInfinity;
  const std::vector<int32_t> boxes = NearestBoxes(property_, input);
  for (const api::Disjunct& disjunct : property_.disjuncts) {
    if (!std::binary_search(boxes.begin(), boxes.end(), disjunct.box)) continue;
    Evaluated* evaluated = Prepare(disjunct.box, input);
    if (evaluated == nullptr) continue;
    Replay replay = Judge(disjunct, *evaluated);
    if (replay.robust) return replay;
    const bool first_witness = replay.witness && !best.witness;
    const bool same_kind = replay.witness.has_value() == best.witness.has_value();
    if (first_witness || (same_kind && replay.margin > best.margin)) best = std::move(replay);
  }
  return best;
}

}  // namespace

Replay ReplayCandidate(const ir::Graph& graph, const api::Property& property,
                       absl::Span<const double> input) {
  if (graph.inputs.size() != 1 || static_cast<int64_t>(input.size()) != property.input_size) {
    return {std::nullopt, -kInfinity, false};
  }
  return Replayer(graph, property).Run(input);
}

std::optional<api::Witness> ReplayWitness(const ir::Graph& graph, const api::Property& property,
                                          absl::Span<const double> input) {
  return ReplayCandidate(graph, property, input).witness;
}

}  // namespace espalier::check
