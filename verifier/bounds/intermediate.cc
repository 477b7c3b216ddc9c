#include "verifier/bounds/intermediate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "verifier/base/status.h"
#include "verifier/bounds/centre.h"
#include "verifier/bounds/cone_scope.h"
#include "verifier/bounds/interval.h"

namespace espalier::bounds {
namespace {

// Cones pay for their preparation only on larger work, with enough rows a tile to keep the kernels busy, and
// where the cone is clearly smaller than the network.
constexpr double kConeFlops = 1e9;
constexpr double kRowsPerTile = 96;
constexpr double kConeShare = 0.6;

// Bounds one layer after another; holds what all layers share.
class LayerSweep {
 public:
  LayerSweep(const Plan& plan, const IntermediateSettings& settings, StopToken stop, DomainBounds& result)
      : plan_(plan), settings_(settings), stop_(stop), result_(result), interval_(plan) {}

  absl::Status Run();

 private:
  absl::Status Layer(int activation);
  void ApplySigns(int activation, LayerBox& box);
  HostRows RowsOf(int activation, const LayerBox& box, bool all) const;
  // Tightens `box` by the rows' own bounds; by tiles where that pays.
  absl::Status Bound(int activation, const HostRows& rows, LayerBox& box);
  std::vector<ir::ImageRect> Tiles(const HostRows& rows) const;
  HostRows InTile(const ir::ImageRect& tile, const HostRows& rows) const;
  absl::Status BoundTile(int activation, const ir::ImageRect& tile, const HostRows& rows, double flops,
                         LayerBox& box);
  // Screens the rows where that pays, then optimises (with at most `flops`) and certifies what is left of
  // them; on the whole network, or on a cone of it.
  absl::Status BoundOn(RowBounder& bounder, const ConeScope* cone, int activation, const HostRows& rows,
                       double flops, LayerBox& box);
  // Screens first the rows that can decide their neurons, going by the box's centre, then the other rows of
  // neurons that those leave open.
  absl::Status ScreenBySides(RowBounder& bounder, const ConeScope* cone, int activation, const HostRows& rows,
                             LayerBox& box);
  int64_t IterationsFor(int activation, int64_t rows, double flops);
  bool Unstable(int activation, const LayerBox& box, size_t at) const;
  HostRows StillUnstable(int activation, const HostRows& rows, const LayerBox& box) const;
  void Tighten(const HostRows& rows, const std::vector<double>& lower, LayerBox& box) const;

  const Plan& plan_;
  const IntermediateSettings& settings_;
  StopToken stop_;
  DomainBounds& result_;
  IntervalPass interval_;
  Relaxation<float> relaxation32_;
  Relaxation<double> relaxation64_;
  std::unique_ptr<RowBounder> whole_;
  std::vector<std::vector<float>> centre_;  // pre-activations per activation, once they were needed
  double flops_left_ = 0;
  bool screen_ = false;  // this layer's rows are worth a float32 pass first
};

absl::Status LayerSweep::Run() {
  const InputBoxes& boxes = result_.boxes;
  flops_left_ = settings_.max_flops;
  result_.layers.assign(plan_.activations().size(), {});
  result_.empty.assign(settings_.signs.size(), false);
  const size_t inputs = static_cast<size_t>(plan_.node(0).size);
  std::vector<double> low(boxes.lower.begin(), boxes.lower.begin() + static_cast<int64_t>(inputs));
  std::vector<double> high(boxes.upper.begin(), boxes.upper.begin() + static_cast<int64_t>(inputs));
  for (size_t i = inputs; i < boxes.lower.size(); ++i) {
    low[i % inputs] = std::min(low[i % inputs], boxes.lower[i]);
    high[i % inputs] = std::max(high[i % inputs], boxes.upper[i]);
  }
  ESPALIER_RETURN_IF_ERROR(interval_.Start(boxes.lower, boxes.upper, boxes.domains));
  ESPALIER_ASSIGN_OR_RETURN(result_.magnitudes, Magnitudes::Make(plan_, low, high, result_.layers));
  ESPALIER_ASSIGN_OR_RETURN(relaxation32_, Relaxation<float>::Make(plan_, result_.layers, boxes.domains));
  ESPALIER_ASSIGN_OR_RETURN(relaxation64_, Relaxation<double>::Make(plan_, result_.layers, boxes.domains));
  whole_ = std::make_unique<RowBounder>(
      Scope{&plan_, &result_.boxes, &relaxation32_, &relaxation64_, &result_.magnitudes});
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    if (stop_.StopRequested()) result_.complete = false;
    ESPALIER_RETURN_IF_ERROR(Layer(static_cast<int>(a)));
    ESPALIER_RETURN_IF_ERROR(result_.magnitudes.Extend(plan_, result_.layers));
  }
  return absl::OkStatus();
}

// `at` counts neurons of all domains.
bool LayerSweep::Unstable(int activation, const LayerBox& box, size_t at) const {
  const ir::HingeLayer& hinge = plan_.hinge(activation);
  const size_t i = at % hinge.left.size();
  return !(box.lower[at] >= 0 || box.upper[at] <= 0 || hinge.left[i] == hinge.right[i]);
}

HostRows LayerSweep::RowsOf(int activation, const LayerBox& box, bool all) const {
  const PlanNode& node = plan_.node(plan_.activations()[static_cast<size_t>(activation)]);
  const auto n = static_cast<size_t>(node.size);
  HostRows rows;
  rows.start = node.predecessor;
  for (size_t k = 0; k < box.lower.size(); ++k) {
    const size_t i = k % n;
    if (!all && !Unstable(activation, box, k)) continue;
    for (double sign : {1.0, -1.0}) {
      rows.domain.push_back(static_cast<int32_t>(k / n));
      rows.neuron.push_back(static_cast<int32_t>(i));
      rows.sign.push_back(sign);
    }
  }
  return rows;
}

// Rows come in pairs (+, -): lower bound of the neuron and of its negation.
void LayerSweep::Tighten(const HostRows& rows, const std::vector<double>& lower, LayerBox& box) const {
  const int64_t n = plan_.node(rows.start).size;
  for (size_t r = 0; r < lower.size(); ++r) {
    const auto at = static_cast<size_t>(rows.domain[r] * n + rows.neuron[r]);
    if (rows.sign[r] > 0) {
      if (lower[r] > box.lower[at]) box.lower[at] = lower[r];
    } else if (-lower[r] < box.upper[at]) {
      box.upper[at] = -lower[r];
    }
  }
}

HostRows LayerSweep::StillUnstable(int activation, const HostRows& rows, const LayerBox& box) const {
  const int64_t n = plan_.node(rows.start).size;
  HostRows left;
  left.start = rows.start;
  for (size_t r = 0; r < rows.domain.size(); ++r) {
    if (!Unstable(activation, box, static_cast<size_t>(rows.domain[r] * n + rows.neuron[r]))) continue;
    left.domain.push_back(rows.domain[r]);
    left.neuron.push_back(rows.neuron[r]);
    left.sign.push_back(rows.sign[r]);
  }
  return left;
}

int64_t LayerSweep::IterationsFor(int activation, int64_t rows, double flops) {
  if (settings_.iterations <= 0 || rows == 0) return 0;
  const ir::NodeId id = plan_.activations()[static_cast<size_t>(activation)];
  const double per_iteration = 2.0 * static_cast<double>(rows) * plan_.flops_until(id);
  const auto affordable = static_cast<int64_t>(flops / std::max(per_iteration, 1.0));
  const int64_t iterations = std::min(settings_.iterations, affordable);
  if (iterations < 3) return 0;
  flops_left_ -= static_cast<double>(iterations) * per_iteration;
  return iterations;
}

absl::Status LayerSweep::ScreenBySides(RowBounder& bounder, const ConeScope* cone, int activation,
                                       const HostRows& rows, LayerBox& box) {
  if (centre_.empty() && result_.boxes.domains == 1) {
    ESPALIER_ASSIGN_OR_RETURN(centre_, PreActivationsAtCentre(plan_, result_.boxes));
  }
  const int64_t n = plan_.node(rows.start).size;
  for (const bool likely : {true, false}) {
    HostRows part;
    part.start = rows.start;
    for (size_t r = 0; r < rows.domain.size(); ++r) {
      const auto neuron = static_cast<size_t>(rows.neuron[r]);
      const bool decides =
          centre_.empty() || (centre_[static_cast<size_t>(activation)][neuron] >= 0) == (rows.sign[r] > 0);
      if (decides != likely) continue;
      if (!likely && !Unstable(activation, box, static_cast<size_t>(rows.domain[r] * n) + neuron)) continue;
      part.domain.push_back(rows.domain[r]);
      part.neuron.push_back(rows.neuron[r]);
      part.sign.push_back(rows.sign[r]);
    }
    std::vector<double> lower;
    ESPALIER_RETURN_IF_ERROR(bounder.Screen(cone == nullptr ? part : cone->Translate(part), stop_, lower));
    Tighten(part, lower, box);
  }
  return absl::OkStatus();
}

absl::Status LayerSweep::BoundOn(RowBounder& bounder, const ConeScope* cone, int activation,
                                 const HostRows& rows, double flops, LayerBox& box) {
  const auto local = [cone](const HostRows& wanted) {
    return cone == nullptr ? wanted : cone->Translate(wanted);
  };
  std::vector<double> lower;
  HostRows left = rows;
  if (screen_) {
    if (settings_.screening_only) return ScreenBySides(bounder, cone, activation, rows, box);
    ESPALIER_RETURN_IF_ERROR(bounder.Screen(local(rows), stop_, lower));
    Tighten(rows, lower, box);
    left = StillUnstable(activation, rows, box);
  }
  const int64_t iterations = IterationsFor(activation, left.count(), flops);
  ESPALIER_RETURN_IF_ERROR(bounder.Bound(
      local(left), {.iterations = iterations, .alpha_rate = settings_.alpha_rate}, stop_, lower));
  Tighten(left, lower, box);
  return absl::OkStatus();
}

// Square tiles with about kRowsPerTile rows each; none when the layer is no image or cones would not pay.
std::vector<ir::ImageRect> LayerSweep::Tiles(const HostRows& rows) const {
  const ir::ImageShape image = ir::ShapeOfNode(plan_.network(), rows.start);
  const double work = static_cast<double>(rows.count()) * plan_.flops_until(rows.start);
  if (!settings_.cones || result_.boxes.domains != 1 || image.c == 0 || work < kConeFlops) return {};
  const double per_pixel = static_cast<double>(rows.count()) / static_cast<double>(image.h * image.w);
  const auto edge =
      std::max<int64_t>(1, static_cast<int64_t>(std::ceil(std::sqrt(kRowsPerTile / per_pixel))));
  const auto tile_at = [&](int64_t top, int64_t left) {
    return ir::ImageRect{top, std::min(top + edge, image.h), left, std::min(left + edge, image.w)};
  };
  const auto middle = ir::ExtractCone(plan_.network(), rows.start, image,
                                      tile_at(image.h / 2 / edge * edge, image.w / 2 / edge * edge));
  if (!middle.has_value()) return {};
  double inside = 0, all = 0;
  for (size_t i = 0; i < middle->node.size(); ++i) {
    if (middle->node[i] < 0) continue;
    inside += static_cast<double>(middle->network.nodes[i].size);
    all += static_cast<double>(plan_.node(middle->node[i]).size);
  }
  if (inside > kConeShare * all) return {};
  std::vector<ir::ImageRect> tiles;
  for (int64_t top = 0; top < image.h; top += edge) {
    for (int64_t left = 0; left < image.w; left += edge) tiles.push_back(tile_at(top, left));
  }
  return tiles;
}

HostRows LayerSweep::InTile(const ir::ImageRect& tile, const HostRows& rows) const {
  const ir::ImageShape image = ir::ShapeOfNode(plan_.network(), rows.start);
  HostRows inside;
  inside.start = rows.start;
  for (size_t r = 0; r < rows.domain.size(); ++r) {
    const int64_t pixel = rows.neuron[r] / image.c, h = pixel / image.w, w = pixel % image.w;
    if (h < tile.top || h >= tile.bottom || w < tile.left || w >= tile.right) continue;
    inside.domain.push_back(0);
    inside.neuron.push_back(rows.neuron[r]);
    inside.sign.push_back(rows.sign[r]);
  }
  return inside;
}

absl::Status LayerSweep::BoundTile(int activation, const ir::ImageRect& tile, const HostRows& rows,
                                   double flops, LayerBox& box) {
  if (rows.count() == 0) return absl::OkStatus();
  const ir::ImageShape image = ir::ShapeOfNode(plan_.network(), rows.start);
  std::optional<ir::Cone> cone = ir::ExtractCone(plan_.network(), rows.start, image, tile);
  if (!cone.has_value()) {  // a tile that sees only padding somewhere
    return BoundOn(*whole_, nullptr, activation, rows, flops, box);
  }
  ESPALIER_ASSIGN_OR_RETURN(
      const std::unique_ptr<ConeScope> scope,
      ConeScope::Make(*std::move(cone), plan_.backend(), result_.boxes, result_.layers, plan_));
  RowBounder bounder(scope->scope());
  return BoundOn(bounder, scope.get(), activation, rows, flops, box);
}

absl::Status LayerSweep::Bound(int activation, const HostRows& rows, LayerBox& box) {
  const double flops = flops_left_ / 2.0;  // keep half for the layers that follow
  const std::vector<ir::ImageRect> tiles = Tiles(rows);
  if (tiles.empty()) return BoundOn(*whole_, nullptr, activation, rows, flops, box);
  for (const ir::ImageRect& tile : tiles) {
    if (stop_.StopRequested()) break;
    const HostRows inside = InTile(tile, rows);
    const double share = static_cast<double>(inside.count()) / static_cast<double>(rows.count());
    ESPALIER_RETURN_IF_ERROR(BoundTile(activation, tile, inside, share * flops, box));
  }
  return absl::OkStatus();
}

// Contains the layer's bounds in the sides the domains bring. Where bounds and side contradict each other the
// domain is empty; its bounds may be anything then, and are made ordered.
void LayerSweep::ApplySigns(int activation, LayerBox& box) {
  if (settings_.signs.empty()) return;
  const size_t n = plan_.hinge(activation).left.size();
  const int64_t first = plan_.activation_begin(activation);
  for (size_t d = 0; d < settings_.signs.size(); ++d) {
    if (settings_.signs[d] == nullptr) continue;
    for (size_t i = 0; i < n; ++i) {
      const int sign = settings_.signs[d]->At(first + static_cast<int64_t>(i));
      if (sign == 0) continue;
      double &lower = box.lower[d * n + i], &upper = box.upper[d * n + i];
      if (sign > 0 && lower < 0) lower = 0;
      if (sign < 0 && upper > 0) upper = 0;
      if (!(lower > upper)) continue;
      result_.empty[d] = true;
      lower = upper = 0;
    }
  }
}

absl::Status LayerSweep::Layer(int activation) {
  LayerBox& box = result_.layers[static_cast<size_t>(activation)];
  ESPALIER_RETURN_IF_ERROR(interval_.PreActivation(activation, box));
  ApplySigns(activation, box);
  if (settings_.backward && result_.complete) {
    if (!settings_.intersect_interval) {
      std::fill(box.lower.begin(), box.lower.end(), -std::numeric_limits<double>::infinity());
      std::fill(box.upper.begin(), box.upper.end(), std::numeric_limits<double>::infinity());
    }
    const bool all = settings_.every_neuron || !settings_.intersect_interval;
    const HostRows rows = RowsOf(activation, box, all);
    const double flops = static_cast<double>(rows.count()) * plan_.flops_until(rows.start);
    // The first layer's interval bounds are exact up to rounding: nothing to gain.
    const bool first = activation == 0 && settings_.intersect_interval &&
                       plan_.node(rows.start).terms.size() == 1 &&
                       plan_.node(rows.start).terms[0].predecessor == 0;
    screen_ = settings_.screening && (settings_.intersect_interval || settings_.screening_only) &&
              flops > settings_.screening_flops;
    if (!first) ESPALIER_RETURN_IF_ERROR(Bound(activation, rows, box));
  }
  // Again: a neuron's own rows may show that it cannot be on its side.
  ApplySigns(activation, box);
  ESPALIER_RETURN_IF_ERROR(interval_.SetPreActivation(activation, box));
  ESPALIER_RETURN_IF_ERROR(relaxation32_.AddLayer(plan_, activation, box));
  return relaxation64_.AddLayer(plan_, activation, box);
}

}  // namespace

absl::StatusOr<DomainBounds> ComputeIntermediate(const Plan& plan, const InputBoxes& boxes,
                                                 const IntermediateSettings& settings, StopToken stop) {
  DomainBounds result;
  result.boxes = boxes;
  LayerSweep sweep(plan, settings, stop, result);
  ESPALIER_RETURN_IF_ERROR(sweep.Run());
  return result;
}

}  // namespace espalier::bounds
