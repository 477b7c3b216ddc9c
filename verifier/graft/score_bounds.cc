#include "verifier/graft/score_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/bounds/row_bounder.h"

namespace espalier::graft {
namespace {

using bounds::HostRows;
using bounds::InputBoxes;
using bounds::LayerBox;
using bounds::Plan;
using bounds::Relaxation;

// A cone that is not clearly smaller than the network does not pay.
constexpr double kConeShare = 0.6;
// Tiles of a layer at most, so that preparing them stays cheap.
constexpr double kMostTiles = 256;

bool IsOpen(const ir::HingeLayer& hinge, size_t neuron, double lower, double upper) {
  return hinge.left[neuron] != hinge.right[neuron] && lower < 0 && upper > 0;
}

// Rows of the open neurons: the side that can decide them, or (`other_side`) the one that cannot.
HostRows OpenRows(const Plan& plan, int activation, const std::vector<float>& clean, bool other_side,
                  const LayerBox& box) {
  const bounds::PlanNode& node = plan.node(plan.activations()[static_cast<size_t>(activation)]);
  const ir::HingeLayer& hinge = plan.hinge(activation);
  const auto n = static_cast<size_t>(node.size);
  HostRows rows;
  rows.start = node.predecessor;
  for (size_t k = 0; k < box.lower.size(); ++k) {
    if (!IsOpen(hinge, k % n, box.lower[k], box.upper[k])) continue;
    rows.domain.push_back(static_cast<int32_t>(k / n));
    rows.neuron.push_back(static_cast<int32_t>(k % n));
    rows.sign.push_back((clean[k] >= 0) != other_side ? 1.0 : -1.0);
  }
  return rows;
}

void Tighten(const HostRows& rows, int64_t n, const std::vector<double>& lower, LayerBox& box) {
  for (size_t r = 0; r < lower.size(); ++r) {
    const auto at = static_cast<size_t>(rows.domain[r] * n + rows.neuron[r]);
    if (rows.sign[r] > 0) {
      if (lower[r] > box.lower[at]) box.lower[at] = lower[r];
    } else if (-lower[r] < box.upper[at]) {
      box.upper[at] = -lower[r];
    }
  }
}

// Lower bounds of the rows, in blocks that stay near the processor's cache.
absl::Status BoundRows(const Plan& plan, const Relaxation<float>& relaxation, const InputBoxes& boxes,
                       const HostRows& rows, StopToken stop, std::vector<double>& lower) {
  auto& backend = plan.backend();
  const int64_t n = plan.node(rows.start).size;
  const int64_t block = std::min(bounds::RowsPerBlock(plan), rows.count());
  lower.assign(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  bounds::BackwardPass<float> pass(plan);
  ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<double> bound, backend::Allocate<double>(backend, block));
  for (int64_t begin = 0; begin < rows.count(); begin += block) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while bounding samples");
    const HostRows part = rows.Slice(begin, std::min(begin + block, rows.count()), n, 0);
    ESPALIER_ASSIGN_OR_RETURN(const auto device, bounds::DeviceRows<float>::Make(plan, part, boxes));
    ESPALIER_RETURN_IF_ERROR(pass.Run(device.Input(relaxation), {.bound = bound.data()}));
    backend.Download(bound.data(), part.count() * static_cast<int64_t>(sizeof(double)), lower.data() + begin);
  }
  return absl::OkStatus();
}

// from[d][at[k]] for every domain d.
std::vector<double> GatherDomains(const std::vector<double>& from, int64_t domains,
                                  const std::vector<int32_t>& at) {
  const size_t n = from.size() / static_cast<size_t>(domains);
  std::vector<double> to;
  to.reserve(static_cast<size_t>(domains) * at.size());
  for (size_t d = 0; d < static_cast<size_t>(domains); ++d) {
    for (int32_t i : at) to.push_back(from[d * n + static_cast<size_t>(i)]);
  }
  return to;
}

bool Pays(const Plan& plan, const ir::Cone& cone) {
  double inside = 0, all = 0;
  for (size_t i = 0; i < cone.node.size(); ++i) {
    if (cone.node[i] < 0) continue;
    inside += static_cast<double>(cone.network.nodes[i].size);
    all += static_cast<double>(plan.node(cone.node[i]).size);
  }
  return inside <= kConeShare * all;
}

// Interval bounds of a layer that reads nothing but inputs are exact.
bool ReadsInputsAlone(const Plan& plan, ir::NodeId affine) {
  const auto& terms = plan.node(affine).terms;
  return terms.size() == 1 && terms[0].predecessor == 0;
}

std::vector<double> SliceOf(const std::vector<double>& values, int64_t count, int64_t at) {
  const auto n = static_cast<int64_t>(values.size()) / count;
  return {values.begin() + at * n, values.begin() + (at + 1) * n};
}

}  // namespace

InputBoxes BoxOfSample(const InputBoxes& boxes, int64_t sample) {
  return {1, SliceOf(boxes.lower, boxes.domains, sample), SliceOf(boxes.upper, boxes.domains, sample)};
}

LayerBox LayerOfSample(const LayerBox& layer, int64_t samples, int64_t sample) {
  return {SliceOf(layer.lower, samples, sample), SliceOf(layer.upper, samples, sample)};
}

absl::StatusOr<std::unique_ptr<SampleBounder>> SampleBounder::Make(const Plan& plan,
                                                                   const BounderSettings& settings) {
  std::unique_ptr<SampleBounder> made(new SampleBounder(plan));
  made->tiles_.resize(plan.activations().size());
  for (size_t a = 0; a < plan.activations().size(); ++a) {
    ESPALIER_RETURN_IF_ERROR(made->MakeTiles(static_cast<int>(a), settings));
  }
  return made;
}

absl::Status SampleBounder::MakeTiles(int activation, const BounderSettings& settings) {
  const ir::NodeId start = plan_.node(plan_.activations()[static_cast<size_t>(activation)]).predecessor;
  const ir::ImageShape image = ir::ShapeOfNode(plan_.network(), start);
  const double work = static_cast<double>(plan_.node(start).size) * plan_.flops_until(start);
  if (ReadsInputsAlone(plan_, start) || image.c == 0 || work < settings.cone_flops) return absl::OkStatus();
  const auto pixels = static_cast<double>(image.h * image.w);
  const auto edge = static_cast<int64_t>(std::ceil(std::sqrt(std::max(1.0, pixels / kMostTiles))));
  const auto rect = [&](int64_t top, int64_t left) {
    return ir::ImageRect{top, std::min(top + edge, image.h), left, std::min(left + edge, image.w)};
  };
  const std::optional<ir::Cone> middle = ir::ExtractCone(
      plan_.network(), start, image, rect(image.h / 2 / edge * edge, image.w / 2 / edge * edge));
  if (!middle.has_value() || !Pays(plan_, *middle)) return absl::OkStatus();
  LayerTiles& layer = tiles_[static_cast<size_t>(activation)];
  layer.channels = image.c;
  layer.tile_of_pixel.resize(static_cast<size_t>(image.h * image.w));
  for (int64_t top = 0; top < image.h; top += edge) {
    for (int64_t left = 0; left < image.w; left += edge) {
      const ir::ImageRect at = rect(top, left);
      for (int64_t h = at.top; h < at.bottom; ++h) {
        for (int64_t w = at.left; w < at.right; ++w) {
          layer.tile_of_pixel[static_cast<size_t>(h * image.w + w)] =
              static_cast<int32_t>(layer.tiles.size());
        }
      }
      layer.tiles.emplace_back();
      std::optional<ir::Cone> cone = ir::ExtractCone(plan_.network(), start, image, at);
      if (!cone.has_value()) continue;
      layer.tiles.back() = std::make_unique<Tile>();
      Tile& tile = *layer.tiles.back();
      tile.cone = *std::move(cone);
      ESPALIER_ASSIGN_OR_RETURN(tile.plan, Plan::Make(tile.cone.network, plan_.backend()));
      tile.cone_of_neuron.assign(static_cast<size_t>(plan_.node(start).size), -1);
      const std::vector<int32_t>& inside = tile.cone.neurons[static_cast<size_t>(tile.cone.network.output)];
      for (size_t k = 0; k < inside.size(); ++k) {
        tile.cone_of_neuron[static_cast<size_t>(inside[k])] = static_cast<int32_t>(k);
      }
    }
  }
  return absl::OkStatus();
}

// Rows come sample after sample.
absl::Status SampleBounder::BoundOnWhole(const HostRows& rows, StopToken stop, SampleBounds& bounds,
                                         std::vector<double>& lower) {
  for (int64_t begin = 0, end = 0; begin < rows.count(); begin = end) {
    const int32_t sample = rows.domain[static_cast<size_t>(begin)];
    while (end < rows.count() && rows.domain[static_cast<size_t>(end)] == sample) ++end;
    HostRows part = rows.Slice(begin, end, 0, 0);
    std::fill(part.domain.begin(), part.domain.end(), 0);
    std::vector<double> found;
    ESPALIER_RETURN_IF_ERROR(BoundRows(plan_, bounds.relaxations[static_cast<size_t>(sample)],
                                       BoxOfSample(bounds.boxes, sample), part, stop, found));
    lower.insert(lower.end(), found.begin(), found.end());
  }
  return absl::OkStatus();
}

absl::Status SampleBounder::BoundOnTile(const Tile& tile, HostRows rows, StopToken stop, SampleBounds& bounds,
                                        std::vector<double>& lower) {
  const InputBoxes& whole = bounds.boxes;
  const ir::Cone& cone = tile.cone;
  const InputBoxes boxes{whole.domains, GatherDomains(whole.lower, whole.domains, cone.neurons[0]),
                         GatherDomains(whole.upper, whole.domains, cone.neurons[0])};
  std::vector<LayerBox> layers;
  for (ir::NodeId id : tile.plan->activations()) {
    const std::vector<int32_t>& neurons = cone.neurons[static_cast<size_t>(id)];
    const int original = plan_.node(cone.node[static_cast<size_t>(id)]).activation;
    const LayerBox& box = bounds.layers[static_cast<size_t>(original)];
    layers.push_back(
        {GatherDomains(box.lower, whole.domains, neurons), GatherDomains(box.upper, whole.domains, neurons)});
  }
  ESPALIER_ASSIGN_OR_RETURN(const auto relaxation,
                            Relaxation<float>::Make(*tile.plan, layers, whole.domains));
  rows.start = cone.network.output;
  for (int32_t& neuron : rows.neuron) neuron = tile.cone_of_neuron[static_cast<size_t>(neuron)];
  return BoundRows(*tile.plan, relaxation, boxes, rows, stop, lower);
}

absl::Status SampleBounder::Bound(int activation, const HostRows& rows, StopToken stop,
                                  SampleBounds& bounds) {
  const LayerTiles& layer = tiles_[static_cast<size_t>(activation)];
  LayerBox& box = bounds.layers[static_cast<size_t>(activation)];
  const int64_t n = plan_.node(rows.start).size;
  std::vector<HostRows> parts(std::max<size_t>(layer.tiles.size(), 1));
  for (size_t r = 0; r < rows.domain.size(); ++r) {
    const size_t pixel = layer.tiles.empty() ? 0 : static_cast<size_t>(rows.neuron[r] / layer.channels);
    HostRows& part = parts[layer.tiles.empty() ? 0 : static_cast<size_t>(layer.tile_of_pixel[pixel])];
    part.start = rows.start;
    part.domain.push_back(rows.domain[r]);
    part.neuron.push_back(rows.neuron[r]);
    part.sign.push_back(rows.sign[r]);
  }
  for (size_t t = 0; t < parts.size(); ++t) {
    if (parts[t].count() == 0) continue;
    std::vector<double> lower;
    if (layer.tiles.empty() || layer.tiles[t] == nullptr) {
      ESPALIER_RETURN_IF_ERROR(BoundOnWhole(parts[t], stop, bounds, lower));
    } else {
      ESPALIER_RETURN_IF_ERROR(BoundOnTile(*layer.tiles[t], parts[t], stop, bounds, lower));
    }
    Tighten(parts[t], n, lower, box);
  }
  return absl::OkStatus();
}

absl::Status SampleBounder::Layer(int activation, const std::vector<float>& clean, StopToken stop,
                                  SampleBounds& bounds) {
  const ir::NodeId affine = plan_.node(plan_.activations()[static_cast<size_t>(activation)]).predecessor;
  if (ReadsInputsAlone(plan_, affine)) return absl::OkStatus();
  for (bool other_side : {false, true}) {
    const HostRows rows =
        OpenRows(plan_, activation, clean, other_side, bounds.layers[static_cast<size_t>(activation)]);
    ESPALIER_RETURN_IF_ERROR(Bound(activation, rows, stop, bounds));
  }
  return absl::OkStatus();
}

absl::Status SampleBounder::Run(const PerSample& clean, StopToken stop, SampleBounds& bounds) {
  const int64_t samples = bounds.boxes.domains;
  bounds::IntervalPass interval(plan_);
  bounds.layers.assign(plan_.activations().size(), {});
  bounds.relaxations.clear();
  for (int64_t s = 0; s < samples; ++s) {
    ESPALIER_ASSIGN_OR_RETURN(bounds.relaxations.emplace_back(),
                              Relaxation<float>::Make(plan_, bounds.layers, 1));
  }
  ESPALIER_RETURN_IF_ERROR(interval.Start(bounds.boxes.lower, bounds.boxes.upper, samples));
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    const auto activation = static_cast<int>(a);
    ESPALIER_RETURN_IF_ERROR(interval.PreActivation(activation, bounds.layers[a]));
    ESPALIER_RETURN_IF_ERROR(Layer(activation, clean[a], stop, bounds));
    ESPALIER_RETURN_IF_ERROR(interval.SetPreActivation(activation, bounds.layers[a]));
    for (int64_t s = 0; s < samples; ++s) {
      ESPALIER_RETURN_IF_ERROR(bounds.relaxations[static_cast<size_t>(s)].AddLayer(
          plan_, activation, LayerOfSample(bounds.layers[a], samples, s)));
    }
  }
  return absl::OkStatus();
}

}  // namespace espalier::graft
