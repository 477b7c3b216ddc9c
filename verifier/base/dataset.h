// Labelled samples: what training, scoring and measuring read.
//
//   Dataset data;  data.shape = {3, 32, 32};
//   std::vector<float> x(data.sample_size());
//   data.CopySample(7, x.data());
//
// Values are in input units (images: [0,1]), one flat sample after the other in ONNX (row-major) order. Bytes
// stay bytes in memory (value / 255), a quarter of what floats would take. Immutable once read; may be shared
// between threads.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "verifier/base/tensor.h"

namespace espalier {

struct Dataset {
  Shape shape;  // of one sample, without the batch dimension
  std::variant<std::vector<uint8_t>, std::vector<float>> values;
  std::vector<int32_t> labels;  // [samples], >= 0
  std::string sha256;  // of the bytes it was read from (data, then labels); empty when made in memory

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t sample_size() const;
  // Writes sample i, 0 <= i < size().
  void CopySample(int64_t i, float* out) const;
};

// Some samples of a data set, in an order. The data outlive it.
struct Samples {
  const Dataset* data = nullptr;
  std::vector<int64_t> order;

  int64_t size() const { return static_cast<int64_t>(order.size()); }
};

}  // namespace espalier
