#include "verifier/graft/pair_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "verifier/base/status.h"

namespace espalier::graft {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Work limits of one box. Gaps of a layer are bounded in float64 up to the first, in float32 up to the
// second (about a minute of two cores), and beyond it the twin network is left out.
constexpr double kPreciseFlops = 2e10;
constexpr double kTwinFlops = 3e12;
constexpr double kIntermediateFlops = 5e10;

// Rows ± every chosen neuron of one node.
bounds::HostRows BothSigns(ir::NodeId start, const std::vector<int32_t>& neurons) {
  bounds::HostRows rows;
  rows.start = start;
  for (int32_t i : neurons) {
    for (double sign : {1.0, -1.0}) {
      rows.domain.push_back(0);
      rows.neuron.push_back(i);
      rows.sign.push_back(sign);
    }
  }
  return rows;
}

std::vector<int32_t> AllNeurons(int64_t size) {
  std::vector<int32_t> all(static_cast<size_t>(size));
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  return all;
}

struct RowRequest {
  bounds::HostRows rows;
  int64_t iterations = 0;
  bool screen = false;
};

absl::StatusOr<std::vector<double>> LowerBounds(const bounds::Plan& plan, const bounds::InputBoxes& boxes,
                                                const std::vector<bounds::LayerBox>& layers,
                                                const RowRequest& request, StopToken stop) {
  ESPALIER_ASSIGN_OR_RETURN(const bounds::Magnitudes magnitudes,
                            bounds::Magnitudes::Make(plan, boxes.lower, boxes.upper, layers));
  ESPALIER_ASSIGN_OR_RETURN(const bounds::Relaxation<float> relaxation32,
                            bounds::Relaxation<float>::Make(plan, layers, 1));
  ESPALIER_ASSIGN_OR_RETURN(const bounds::Relaxation<double> relaxation64,
                            bounds::Relaxation<double>::Make(plan, layers, 1));
  bounds::RowBounder bounder({&plan, &boxes, &relaxation32, &relaxation64, &magnitudes});
  std::vector<double> lower;
  if (request.screen) {
    ESPALIER_RETURN_IF_ERROR(bounder.Screen(request.rows, stop, lower));
  } else {
    ESPALIER_RETURN_IF_ERROR(bounder.Bound(request.rows, {.iterations = request.iterations}, stop, lower));
  }
  if (stop.StopRequested()) return absl::CancelledError("stopped while the difference was bounded");
  return lower;
}

double Largest(const std::vector<double>& lower) {
  double largest = 0;
  for (double v : lower) largest = std::isnan(v) ? kInfinity : std::max(largest, -v);
  return largest;
}

// How far z2 - z1 spreads at the points the search has seen, with room on both sides: steers the choice of
// slopes and proves nothing.
Interval Spread(const std::vector<float>& z1, const std::vector<float>& z2, size_t size, size_t i) {
  Interval spread{kInfinity, -kInfinity};
  for (size_t at = i; at < z1.size(); at += size) {
    const double d = static_cast<double>(z2[at]) - static_cast<double>(z1[at]);
    spread.lower = std::min(spread.lower, d);
    spread.upper = std::max(spread.upper, d);
  }
  const double room = 0.5 * (spread.upper - spread.lower);
  return {spread.lower - room, spread.upper + room};
}

Interval At(const bounds::LayerBox& box, size_t i) {
  return {box.lower[i], box.upper[i]};
}

struct Slope {
  double m = 0, width = kInfinity;  // the slack's
};

// The slope that leaves the narrowest slack.
Slope NarrowestSlope(double left, double right, const GapBounds& bounds) {
  Slope best{right};
  for (double t : {1.0, 0.75, 0.5, 0.25, 0.0}) {
    const double m = left + t * (right - left);
    const Interval slack = SlackRange(left, right, m, bounds);
    if (slack.upper - slack.lower < best.width) best = {m, slack.upper - slack.lower};
  }
  return best;
}

// How far apart the relaxation's lines are at a kink where the slope changes by `change`.
double KinkGap(double change, const Interval& z) {
  if (!(z.lower < 0 && z.upper > 0)) return 0;
  return std::fabs(change) * z.upper * -z.lower / (z.upper - z.lower);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PairBounder>> PairBounder::Make(const ir::Network& base,
                                                               const ir::Network& other,
                                                               const PairSettings& settings,
                                                               backend::Backend& backend) {
  std::unique_ptr<PairBounder> bounder(new PairBounder(base, other, settings));
  ESPALIER_ASSIGN_OR_RETURN(bounder->joined_, JoinNetworks(base, other));
  ESPALIER_ASSIGN_OR_RETURN(bounder->base_plan_, bounds::Plan::Make(base, backend));
  ESPALIER_ASSIGN_OR_RETURN(bounder->other_plan_, bounds::Plan::Make(other, backend));
  ESPALIER_ASSIGN_OR_RETURN(bounder->joined_plan_, bounds::Plan::Make(bounder->joined_.network, backend));
  bounder->search_ = std::make_unique<DifferenceSearch>(*bounder->joined_plan_);
  bounder->twins_ = AreTwins(base, other);
  return bounder;
}

absl::StatusOr<PairBounder::NodeBoxes> PairBounder::Intermediate(const bounds::Plan& plan,
                                                                 const bounds::InputBoxes& boxes,
                                                                 StopToken stop) const {
  bounds::IntermediateSettings settings;
  settings.iterations = settings_.alpha_iterations;
  settings.max_flops = kIntermediateFlops;
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds domain,
                            bounds::ComputeIntermediate(plan, boxes, settings, stop));
  if (stop.StopRequested()) return absl::CancelledError("stopped while the networks were bounded");
  NodeBoxes by_node(plan.nodes().size());
  for (size_t a = 0; a < domain.layers.size(); ++a) {
    by_node[static_cast<size_t>(plan.activations()[a])] = std::move(domain.layers[a]);
  }
  return by_node;
}

bounds::InputBoxes PairBounder::OtherBox(const bounds::InputBoxes& boxes) const {
  bounds::InputBoxes box = boxes;
  std::vector<size_t> stored(base_.input_order.size());
  for (size_t i = 0; i < stored.size(); ++i) stored[static_cast<size_t>(base_.input_order[i])] = i;
  for (size_t i = 0; i < stored.size(); ++i) {
    const size_t from = stored[static_cast<size_t>(other_.input_order[i])];
    box.lower[i] = boxes.lower[from];
    box.upper[i] = boxes.upper[from];
  }
  return box;
}

absl::StatusOr<std::vector<double>> PairBounder::JoinedRows(const bounds::InputBoxes& boxes,
                                                            const NodeBoxes& base, const NodeBoxes& other,
                                                            StopToken stop) const {
  NodeBoxes by_node(joined_.network.nodes.size());
  for (size_t i = 0; i < other.size(); ++i) {
    if (joined_.other[i] >= 0) by_node[static_cast<size_t>(joined_.other[i])] = other[i];
  }
  for (size_t i = 0; i < base.size(); ++i) {
    if (joined_.base[i] >= 0) by_node[static_cast<size_t>(joined_.base[i])] = base[i];
  }
  std::vector<bounds::LayerBox> layers;
  for (ir::NodeId id : joined_plan_->activations()) layers.push_back(by_node[static_cast<size_t>(id)]);
  RowRequest request{BothSigns(joined_.network.output, AllNeurons(joined_.network.output_size()))};
  request.iterations = settings_.alpha_iterations;
  return LowerBounds(*joined_plan_, boxes, layers, request, stop);
}

absl::StatusOr<PairBounder::Choice> PairBounder::ChooseLines(const NodeBoxes& base, const NodeBoxes& other) {
  Choice choice;
  choice.lines.resize(base_.nodes.size());
  double apart = 0, together = 0;  // what the relaxations of the joined and of the twin network leave open
  for (size_t node = 0; node < base_.nodes.size(); ++node) {
    if (base_.nodes[node].kind != ir::NodeKind::kActivation) continue;
    const auto p = static_cast<size_t>(base_.nodes[node].predecessor);
    const auto n = static_cast<size_t>(base_.nodes[node].size);
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<float> z1, search_->Values(joined_.base[p]));
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<float> z2, search_->Values(joined_.other[p]));
    const ir::HingeLayer &f = other_.nodes[node].hinge, &g = base_.nodes[node].hinge;
    GapLines& lines = choice.lines[node];
    for (size_t i = 0; i < n; ++i) {
      const GapBounds seen{At(base[node], i), At(other[node], i), Spread(z1, z2, n, i)};
      const double kink = f.right[i] - f.left[i], base_kink = g.right[i] - g.left[i];
      apart += KinkGap(base_kink, seen.z1) + KinkGap(kink, seen.z2);
      together += KinkGap(kink - base_kink, seen.z1);
      const bool right = seen.z1.lower >= 0 && seen.z2.lower >= 0;
      const bool left = seen.z1.upper <= 0 && seen.z2.upper <= 0;
      Slope slope{left ? f.left[i] : f.right[i], 0};
      const bool linear = kink == 0 || left || right;
      if (!linear) slope = NarrowestSlope(f.left[i], f.right[i], seen);
      together += slope.width;
      lines.slope.push_back(slope.m);
      lines.slack.push_back(!linear);
    }
  }
  choice.worthwhile = together < apart;
  return choice;
}

absl::StatusOr<std::vector<double>> PairBounder::TwinRows(bounds::InputBoxes boxes, const NodeBoxes& base,
                                                          const NodeBoxes& other, StopToken stop) {
  const auto outputs = static_cast<size_t>(base_.output_size());
  const std::vector<double> nothing(2 * outputs, -kInfinity);
  ESPALIER_ASSIGN_OR_RETURN(const Choice choice, ChooseLines(base, other));
  if (!choice.worthwhile) return nothing;
  const std::vector<GapLines>& lines = choice.lines;
  const TwinNetwork twin = MakeTwin(base_, other_, lines);
  if (twin.output_is_zero) return std::vector<double>(2 * outputs, 0.0);
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<bounds::Plan> plan,
                            bounds::Plan::Make(twin.network, base_plan_->backend()));
  std::vector<bounds::LayerBox> layers;
  for (ir::NodeId id : twin.bounded_by) layers.push_back(base[static_cast<size_t>(id)]);
  boxes.lower.resize(static_cast<size_t>(twin.network.input_size()), 0.0);
  boxes.upper.resize(boxes.lower.size(), 0.0);
  auto next = static_cast<size_t>(base_.input_size());
  for (size_t node = 0; node < lines.size(); ++node) {
    std::vector<int32_t> neurons;
    for (size_t i = 0; i < lines[node].slack.size(); ++i) {
      if (lines[node].slack[i]) neurons.push_back(static_cast<int32_t>(i));
    }
    const size_t first = next;
    next += neurons.size();
    const ir::NodeId gap =
        neurons.empty() ? -1 : twin.gap[static_cast<size_t>(base_.nodes[node].predecessor)];
    if (gap < 0) continue;  // no slack is needed: the gap is exactly 0
    const double flops = 2.0 * static_cast<double>(neurons.size()) * plan->flops_until(gap);
    if (flops > kTwinFlops) return nothing;
    RowRequest request{BothSigns(gap, neurons)};
    request.screen = flops > kPreciseFlops;
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> lower,
                              LowerBounds(*plan, boxes, layers, request, stop));
    for (size_t k = 0; k < neurons.size(); ++k) {
      const auto i = static_cast<size_t>(neurons[k]);
      GapBounds known{At(base[node], i), At(other[node], i), {lower[2 * k], -lower[2 * k + 1]}};
      // NaN or infinite gaps fall back on what both networks' own bounds say.
      const Interval apart{known.z2.lower - known.z1.upper, known.z2.upper - known.z1.lower};
      if (!(known.gap.lower > apart.lower)) known.gap.lower = apart.lower;
      if (!(known.gap.upper < apart.upper)) known.gap.upper = apart.upper;
      const ir::HingeLayer& f = other_.nodes[node].hinge;
      const Interval slack = SlackRange(f.left[i], f.right[i], lines[node].slope[i], known);
      boxes.lower[first + k] = slack.lower;
      boxes.upper[first + k] = slack.upper;
    }
  }
  RowRequest request{BothSigns(twin.network.output, AllNeurons(base_.output_size()))};
  request.iterations = settings_.alpha_iterations;
  return LowerBounds(*plan, boxes, layers, request, stop);
}

absl::StatusOr<PairBounds> PairBounder::Bound(const std::vector<double>& lower,
                                              const std::vector<double>& upper, uint64_t seed,
                                              StopToken stop) {
  const bounds::InputBoxes boxes{1, lower, upper};
  PairBounds result;
  ESPALIER_ASSIGN_OR_RETURN(result.point, search_->Run(lower, upper, seed));
  ESPALIER_ASSIGN_OR_RETURN(const NodeBoxes base, Intermediate(*base_plan_, boxes, stop));
  ESPALIER_ASSIGN_OR_RETURN(const NodeBoxes other, Intermediate(*other_plan_, OtherBox(boxes), stop));
  ESPALIER_ASSIGN_OR_RETURN(std::vector<double> rows, JoinedRows(boxes, base, other, stop));
  result.joined = Largest(rows);
  result.twin = kInfinity;
  if (twins_) {
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> gap, TwinRows(boxes, base, other, stop));
    result.twin = Largest(gap);
    for (size_t r = 0; r < rows.size(); ++r) {
      if (std::isnan(rows[r]) || gap[r] > rows[r]) rows[r] = gap[r];
    }
  }
  result.best = Largest(rows);
  return result;
}

}  // namespace espalier::graft
