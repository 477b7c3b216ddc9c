// Pre-activation bounds of many samples' boxes at once: intervals, then backward (CROWN) rows for what they
// leave open, in float32 and without certification. For scores; they prove nothing.
//
//   ESPALIER_ASSIGN_OR_RETURN(auto bounder, SampleBounder::Make(plan, {}));
//   ESPALIER_RETURN_IF_ERROR(bounder->Run(boxes, clean, stop, bounds));
//
// Two things make it much cheaper than bounding for a proof. A neuron that is positive at a point of the box
// can only be shown to be active, so one row decides it and the other is needed only for those that stay
// open. And cones (ir/cone.h) are cut out once for all samples, whose rows share one product.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/backward.h"
#include "verifier/bounds/interval.h"
#include "verifier/bounds/rows.h"
#include "verifier/graft/score_points.h"
#include "verifier/ir/cone.h"

namespace espalier::graft {

struct BounderSettings {
  // Least work of a layer's rows, for one sample, for which cones pay.
  double cone_flops = 1e8;
};

struct SampleBounds {
  bounds::InputBoxes boxes;              // a domain per sample
  std::vector<bounds::LayerBox> layers;  // per activation, [samples][neurons]
  // Per sample, of one domain: lines that several samples share would have to cover every neuron that is
  // unstable for any of them.
  std::vector<bounds::Relaxation<float>> relaxations;
};

// One of the samples: its box, or its bounds of one layer.
bounds::InputBoxes BoxOfSample(const bounds::InputBoxes& boxes, int64_t sample);
bounds::LayerBox LayerOfSample(const bounds::LayerBox& layer, int64_t samples, int64_t sample);

class SampleBounder {
 public:
  static absl::StatusOr<std::unique_ptr<SampleBounder>> Make(const bounds::Plan& plan,
                                                             const BounderSettings& settings);

  // `clean`: pre-activations at one point of every box. Fills bounds.layers and relaxations
  // from bounds.boxes. CANCELLED when `stop` fires.
  absl::Status Run(const PerSample& clean, StopToken stop, SampleBounds& bounds);

 private:
  // One tile of an image-shaped layer with its cone, ready for rows of any samples.
  struct Tile {
    ir::Cone cone;
    std::unique_ptr<bounds::Plan> plan;
    std::vector<int32_t> cone_of_neuron;  // of the layer; -1 outside the tile
  };
  struct LayerTiles {
    std::vector<std::unique_ptr<Tile>> tiles;  // null: a tile without a cone
    std::vector<int32_t> tile_of_pixel;
    int64_t channels = 0;
  };

  explicit SampleBounder(const bounds::Plan& plan) : plan_(plan) {}
  absl::Status MakeTiles(int activation, const BounderSettings& settings);
  absl::Status Layer(int activation, const std::vector<float>& clean, StopToken stop, SampleBounds& bounds);
  absl::Status Bound(int activation, const bounds::HostRows& rows, StopToken stop, SampleBounds& bounds);
  absl::Status BoundOnWhole(const bounds::HostRows& rows, StopToken stop, SampleBounds& bounds,
                            std::vector<double>& lower);
  absl::Status BoundOnTile(const Tile& tile, bounds::HostRows rows, StopToken stop, SampleBounds& bounds,
                           std::vector<double>& lower);

  const bounds::Plan& plan_;
  std::vector<LayerTiles> tiles_;  // per activation; empty: whole network
};

}  // namespace espalier::graft
