#include "verifier/label_property.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace espalier {

absl::StatusOr<api::Property> LabelProperty(const Model& model, absl::Span<const float> sample, int64_t label,
                                            const BoxSettings& settings) {
  if (static_cast<int64_t>(sample.size()) != model.input_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the sample has ", sample.size(), " values, the model takes ", model.input_size()));
  }
  if (label < 0 || label >= model.output_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("label ", label, " is none of the model's ", model.output_size(), " classes"));
  }
  if (!(settings.epsilon >= 0) || !std::isfinite(settings.epsilon) || !(settings.low <= settings.high)) {
    return absl::InvalidArgumentError("epsilon must not be negative and low must not be above high");
  }
  api::Property property;
  property.input_size = model.input_size();
  property.output_size = model.output_size();
  api::Box box;
  for (const float value : sample) {
    if (!std::isfinite(value))
      return absl::InvalidArgumentError("the sample holds a value that is not finite");
    const auto x = static_cast<double>(value);
    box.lower.push_back(std::clamp(x - settings.epsilon, settings.low, settings.high));
    box.upper.push_back(std::clamp(x + settings.epsilon, settings.low, settings.high));
  }
  property.boxes.push_back(std::move(box));
  for (int64_t other = 0; other < model.output_size(); ++other) {
    if (other == label) continue;
    api::LinearRow row;
    row.output = {{static_cast<int32_t>(label), 1.0}, {static_cast<int32_t>(other), -1.0}};
    property.disjuncts.push_back({.box = 0, .rows = {std::move(row)}});
  }
  return property;
}

}  // namespace espalier
