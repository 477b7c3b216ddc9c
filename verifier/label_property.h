// Local robustness as a property: no input of the box around a sample gives another class at least the
// label's logit.
//
//   ESPALIER_ASSIGN_OR_RETURN(api::Property p, LabelProperty(model, sample, label, {.epsilon = 2.0 / 255}));
//   Verify(model, p, options, nullptr, stop)   // verified: the class is the label's everywhere in the box
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "verifier/api/property.h"
#include "verifier/verifier.h"

namespace espalier {

// Samples' boxes: radius in input units, cut to [low, high].
struct BoxSettings {
  double epsilon = 0;
  double low = 0, high = 1;
};

// One box and one disjunct per other class: y[label] - y[other] <= 0. `sample` is in ONNX order.
// INVALID_ARGUMENT when the sample, the label or the settings do not fit.
absl::StatusOr<api::Property> LabelProperty(const Model& model, absl::Span<const float> sample, int64_t label,
                                            const BoxSettings& settings);

}  // namespace espalier
