// Bounds of every activation layer's pre-activations, for one domain (the root) or a batch of boxes.
//
// Layer by layer: interval first, then backward rows (two per neuron) for the neurons that are still
// unstable, in blocks that fit the memory; at the root, optionally, each row's slopes are optimised before it
// is certified, so that later layers start from tighter earlier ones. Everything returned is certified in
// float64 (or by a float32 bound whose own allowance already decides the neuron).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/stop_token.h"
#include "verifier/bounds/neuron_signs.h"
#include "verifier/bounds/optimise.h"
#include "verifier/bounds/row_bounder.h"

namespace espalier::bounds {

struct IntermediateSettings {
  bool backward = true;            // false: interval bounds only
  bool intersect_interval = true;  // false: every neuron by its own backward rows alone (plain CROWN)
  // Also tighten neurons that intervals already decide: later intervals gain a little, for twice the work or
  // more.
  bool every_neuron = false;
  // Bound large layers in float32 first; neurons which that decides keep its slightly looser bounds.
  bool screening = true;
  double screening_flops = 2e8;  // below this many operations of a layer it costs more than it saves
  // Keep what float32 screening gives for undecided neurons, too: its allowance makes their bounds a little
  // looser, and the float64 pass takes more time than all else.
  bool screening_only = false;
  int64_t iterations = 0;  // > 0: optimise the slopes of unstable neurons' rows (one domain only)
  double alpha_rate = 0.1;
  double max_flops = 1e15;  // of the optimisation; beyond it later layers get fewer iterations
  bool cones = true;        // bound tiles of image-shaped layers on their cones where that is less work
  // Sides that the domain itself brings, one entry per domain (null: nothing known of any): bounds hold where
  // the neurons are on these sides.
  std::vector<const NeuronSigns*> signs = {};
};

struct DomainBounds {
  InputBoxes boxes;
  std::vector<LayerBox> layers;  // per activation, [domains][neurons]
  Magnitudes magnitudes;         // over the union of the domains
  bool complete = true;          // false: `stop` fired; layers after that point hold interval bounds
  // Per domain, when sides or a half-space were given: no point of the box is on those sides and inside. No
  // entries: nothing is known to be empty.
  std::vector<bool> empty;
};

absl::StatusOr<DomainBounds> ComputeIntermediate(const Plan& plan, const InputBoxes& boxes,
                                                 const IntermediateSettings& settings, StopToken stop);

}  // namespace espalier::bounds
