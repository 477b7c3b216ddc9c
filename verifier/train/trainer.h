// Adversarial training: one step from a random start (Wong et al. 2020) or projected gradient descent (Madry
// et al. 2018), stochastic gradient descent with momentum, optionally following a teacher.
//
//   ESPALIER_ASSIGN_OR_RETURN(ir::Network trained, Train(network, data, order, options, *backend, hooks,
//   stop));
//
// Repeatable bit by bit for the same seed and thread number, also across a checkpoint: every random number is
// a function of (seed, epoch, position), never of history.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/api/training.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/train/device_network.h"

namespace espalier::train {

// Enough to go on after the epoch: parameters with velocities.
struct TrainState {
  int64_t epochs_done = 0;
  std::vector<ParameterState> parameters;
};

struct TrainHooks {
  // About twice a second, and at the end of every epoch (done == total). Stage and seconds are the caller's.
  std::function<void(const api::TrainProgress&)> progress;
  // After every epoch but the last.
  std::function<void(const TrainState&)> checkpoint;
  const ir::Network* teacher = nullptr;  // whose outputs at the clean samples are followed when distil > 0
  TrainState resume;                     // with epochs_done == 0: from the start
};

// INVALID_ARGUMENT: data that do not fit the network. CANCELLED when `stop` fires. ABORTED when the loss is
// not finite, naming the epoch; the last checkpoint is good.
absl::StatusOr<ir::Network> Train(const ir::Network& network, const Samples& samples,
                                  const api::TrainOptions& options, backend::Backend& backend,
                                  const TrainHooks& hooks, StopToken stop);

// INVALID_ARGUMENT when samples or labels do not fit the network.
absl::Status CheckFits(const ir::Network& network, const Dataset& data);

}  // namespace espalier::train
