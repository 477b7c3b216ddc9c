// Clean and attacked accuracy on labelled samples.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"

namespace espalier::train {

struct Accuracy {
  int64_t samples = 0, clean = 0;            // correct ones
  int64_t attack_samples = 0, attacked = 0;  // correct at the sample and at every point of the attack
  std::vector<bool> correct;                 // [samples] clean
};

struct AccuracySettings {
  double epsilon = 0;
  double low = 0, high = 1;
  int64_t attack_samples = 1000;  // the first ones are attacked: that costs as much as 60 evaluations
  int64_t steps = 20;             // of projected gradient descent, step size epsilon / 4
  uint64_t seed = 0;
};

// RESOURCE_EXHAUSTED when the backend has no memory for MeasureAccuracy on so many samples.
absl::Status CheckAccuracyFits(const ir::Network& network, int64_t samples, backend::Backend& backend);

// INVALID_ARGUMENT: data that do not fit the network. CANCELLED when `stop` fires.
absl::StatusOr<Accuracy> MeasureAccuracy(const ir::Network& network, const Samples& samples,
                                         const AccuracySettings& settings, backend::Backend& backend,
                                         StopToken stop);

}  // namespace espalier::train
