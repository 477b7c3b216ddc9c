#include "verifier/base/dataset.h"

namespace espalier {

int64_t Dataset::sample_size() const {
  return ElementCount(shape).value_or(0);
}

void Dataset::CopySample(int64_t i, float* out) const {
  const int64_t n = sample_size();
  if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&values)) {
    const uint8_t* from = bytes->data() + i * n;
    for (int64_t j = 0; j < n; ++j) out[j] = static_cast<float>(from[j]) / 255.0f;
    return;
  }
  const float* from = std::get<std::vector<float>>(values).data() + i * n;
  for (int64_t j = 0; j < n; ++j) out[j] = from[j];
}

}  // namespace espalier
