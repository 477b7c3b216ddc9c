// What a report says about one network: clean and attacked accuracy, and the fraction of samples that is
// verified by bounds at the root and, if asked for, by complete verification.
//
//   MeasureSettings settings{.box = {.epsilon = 2.0 / 255}, .verify_samples = 200, .verify_timeout_s = 60};
//   ESPALIER_ASSIGN_OR_RETURN(api::Measurement m,
//                             Measure(model, {&data, order}, settings, *backend, progress, stop));
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/label_property.h"
#include "verifier/verifier.h"

namespace espalier {

struct MeasureSettings {
  BoxSettings box;
  int64_t samples = -1;             // for accuracy: the first ones of `order`; -1: all
  int64_t verify_samples = 0;       // the first ones of `order`
  double verify_timeout_s = 0;      // limit of one complete verification; 0: bounds at the root only
  int64_t verify_memory_bytes = 0;  // as options.memory_bytes of one verification
  int64_t threads = 0;              // of one verification; samples are verified one after the other
  uint64_t seed = 0;                // of the attack
};

using MeasureProgress = std::function<void(const api::TrainProgress&)>;

// The backend computes accuracies; verification makes its own, after the
// verifier's own settings. `progress` may be null; its stages are "measure" and "verify". INVALID_ARGUMENT
// when the data do not fit, UNIMPLEMENTED for the model, CANCELLED when `stop` fires.
absl::StatusOr<api::Measurement> Measure(const Model& model, const Samples& chosen,
                                         const MeasureSettings& settings, backend::Backend& backend,
                                         const MeasureProgress& progress, StopToken stop);

}  // namespace espalier
