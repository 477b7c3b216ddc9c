// Tighter bounds of all layers of one box from bounds that are there already: rows of every unstable neuron,
// optimised on the network that is left (backend/compact.h), then certified in float64 there, or on the whole
// network where the device has no certificates of that kind.
//
//   DomainBounds bounds = *ComputeIntermediate(plan, boxes, {}, stop);
//   ESPALIER_RETURN_IF_ERROR(RefineBounds(plan, {.iterations = 20}, stop, bounds));
//
// Rows can be bounded with cuts (bounds/cuts.h) of the neurons before them. The first time, each layer's rows
// are bounded twice: without planes of their own, to see where planes shall be low, and with them.
//
// And they can be split at these neurons (bounds/row_splits.h).
//
//   CutPoints points;
//   ESPALIER_RETURN_IF_ERROR(RefineBounds(plan, {.found_points = &points}, stop, bounds));
//   ESPALIER_RETURN_IF_ERROR(RefineBounds(plan, {.sides = {side}, .points = &points}, stop, half));
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/compact_narrow.h"
#include "verifier/bounds/cut_points.h"
#include "verifier/bounds/half_space.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/row_splits.h"
#include "verifier/bounds/row_starts.h"

namespace espalier::bounds {

// How often the network that is left did not fit in memory, in the run's statistics.
inline constexpr char kListingRefused[] = "listing_refused";

// How far a bound that a side brings stays from zero: the neuron keeps its place among the unstable ones, and
// with it the multiplier of the side.
inline constexpr double kSideMargin = 1e-30;

// Takes the side over into the neuron's interval. False: the interval leaves nothing there.
bool TakeSide(const NeuronSide& side, std::vector<LayerBox>& layers);

// What a neuron's bound owes to the relaxation of neurons before it.
struct BoundShare {
  int32_t activation = 0, neuron = 0;
  bool upper = false;
  struct Part {
    int32_t activation = 0, neuron = 0;
    float score = 0;  // about what the bound gains when this neuron is split (backend::SplitScore)
  };
  std::vector<Part> parts;  // the largest, largest first
};

struct RefineSettings {
  int64_t iterations = 20;
  // When not null: the network that is left below bounds that contain those that come in.
  const LeftNetwork* from = nullptr;
  int32_t first = 0;  // bounds of activations before this one stay as they are
  // When not null and not empty: where rows that are known there begin.
  const RefineMemory* start = nullptr;
  // When not null: receives where rows have ended; left empty for a network whose rows take too much memory.
  RefineMemory* keep = nullptr;
  // Bounds need hold on these sides only (TakeSide has been called for each); what comes out holds for
  // nothing else.
  std::vector<NeuronSide> sides = {};
  const CutPoints* points = nullptr;  // when not null: cuts that are low there
  CutPoints* found_points = nullptr;  // when not null: receives where cuts that serve these rows are low
  RowSplits splits = {};  // of rows that have neurons before them, where the device certifies rows itself
  const HalfSpace* inside = nullptr;  // bounds need hold inside only; what comes out holds for nothing else
  // When not null: receives what stays unstable, layer by layer, with this many parts each at most.
  std::vector<BoundShare>* shares = nullptr;
  int64_t parts = 8;
};

// Layer by layer from the front, each from the tighter ones before it. Never looser than before. bounds.empty
// is {true} when an interval has ended up empty: no point of the box is inside and on all sides. When `stop`
// fires, later layers keep what they had, and so they do after an error. UNIMPLEMENTED when the network or
// the device is not made for it, RESOURCE_EXHAUSTED when it does not fit: do without.
absl::Status RefineBounds(const Plan& plan, const RefineSettings& settings, StopToken stop,
                          DomainBounds& bounds);
inline bool DoWithout(const absl::Status& refined) {
  return absl::IsUnimplemented(refined) || absl::IsResourceExhausted(refined);
}

// Refines `from` by settings.iterations steps; where that is not possible, bounds its box anew and optimises
// on the whole network, within settings.max_flops.
absl::StatusOr<DomainBounds> OptimiseBounds(const Plan& plan, const IntermediateSettings& settings,
                                            StopToken stop, DomainBounds from);

}  // namespace espalier::bounds
