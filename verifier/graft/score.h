// How unstable and how significant every activation neuron is, over a sample of the data.
//
//   ESPALIER_ASSIGN_OR_RETURN(Scores scores, ComputeScores(network, samples, settings, backend,
//   hooks)); scores.instability[a][i]   // of the samples' boxes, how many make neuron i of activation a
//   unstable
//
// Scores steer a choice and prove nothing: bounds are computed in float32 without certification. Score with
// backward (CROWN) bounds, never intervals: intervals call nearly every neuron of a late layer unstable.
// All vectors are [activation][neuron], activations in topological order. Neurons that are linear already
// score 0 everywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

using PerNeuron = std::vector<std::vector<double>>;

struct ScoreSettings {
  double epsilon = 0;  // radius of the boxes, input units; boxes are cut to [low, high]
  double low = 0, high = 1;
  int64_t samples = 1000;        // the first ones
  int64_t alpha_iterations = 0;  // > 0: bounds with optimised slopes, as the verifier would compute them
  // More than one: so many threads share the samples, each with a backend of its own that it makes itself
  // (its number of threads is a property of the thread that made it). The scores do not depend on how many
  // there are.
  int64_t workers = 1;
  std::function<absl::StatusOr<std::unique_ptr<backend::Backend>>()> make_worker = nullptr;
};

struct Scores {
  PerNeuron instability;  // mean over samples of (l < 0 < u), 0..1
  PerNeuron magnitude;    // mean |pre-activation| at the samples
  PerNeuron gradient;     // mean |d loss / d pre-activation| at the samples (cross entropy with the label)
  // What replacing the activation by its least-squares line moves the loss by, to first order: the root of
  // mean square d loss / d activation times mean square residual of the line.
  PerNeuron cost;
  // Mean over the samples of what the relaxation at this neuron costs the margin's lower bound, in units of
  // the margin. Of each sample the row label - other class with the smallest bound counts, at the corner of
  // the box where that bound is attained: coefficient * (activation - chosen line), which is never negative.
  // Over all neurons these add up to the margin at that corner minus the bound (score_margin.h).
  PerNeuron looseness;
  std::vector<double> unstable_per_layer;  // mean number of unstable neurons, [activation]
  double certified = 0;                    // fraction of the samples certified by these bounds alone
  int64_t samples = 0;
};

// Called with how many samples are done.
using ScoreProgress = std::function<void(int64_t done, int64_t total)>;

// CANCELLED when `stop` fires; INVALID_ARGUMENT when samples, labels or
// settings do not fit the network, when it has a single output, or outputs that are not finite.
absl::StatusOr<Scores> ComputeScores(const ir::Network& network, const Samples& samples,
                                     const ScoreSettings& settings, backend::Backend& backend,
                                     const ScoreProgress& progress, StopToken stop);

}  // namespace espalier::graft
