// Adversarial training (Goodfellow et al. 2015 with random start, Wong et al. 2020; PGD, Madry et al. 2018)
// and accuracies, on a DeviceNetwork.
//
//   ESPALIER_ASSIGN_OR_RETURN(ir::Network trained, Train(network, data, order, options, *backend, hooks,
//   stop));
//
// Repeatable bit by bit for the same seed and thread number, also across a checkpoint: every random number is
// a function of (seed, epoch, position), never of history.
#pragma once

#include <functional>
#include <optional>

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
  // During an epoch about twice a second, and once at its end.
  std::function<void(const api::TrainProgress&)> progress;
  // After every epoch.
  std::function<void(const TrainState&)> checkpoint;
  std::optional<TrainState> resume;
};

// INVALID_ARGUMENT: data that do not fit the network. CANCELLED when `stop` fires. INTERNAL-free: a loss that
// is not finite ends with ABORTED and says in which epoch; the last checkpoint is good.
absl::StatusOr<ir::Network> Train(const ir::Network& network, const Dataset& data,
                                  const std::vector<int64_t>& order, const api::TrainOptions& options,
                                  backend::Backend& backend, const TrainHooks& hooks, StopToken stop);

struct Accuracy {
  int64_t samples = 0, clean = 0, attacked = 0;  // correct ones; attacked: also correct under the attack
  std::vector<bool> correct;                     // [samples] clean
};

struct AccuracySettings {
  double epsilon = 0;
  double low = 0, high = 1;
  int64_t steps = 20;  // of projected gradient descent, step size epsilon / 4; 0: clean accuracy only
  uint64_t seed = 0;
};

absl::StatusOr<Accuracy> MeasureAccuracy(const ir::Network& network, const Dataset& data,
                                         const std::vector<int64_t>& order, const AccuracySettings& settings,
                                         backend::Backend& backend, StopToken stop);

// INVALID_ARGUMENT when samples or labels do not fit the network.
absl::Status CheckFits(const ir::Network& network, const Dataset& data);

}  // namespace espalier::train
