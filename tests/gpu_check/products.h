// Matrix products and convolutions of a bound pass against cuBLAS's own products of the same shapes.
#pragma once

#include <vector>

#include "tests/gpu_check/measurement.h"

namespace espalier::gpu_check {

struct ProductSettings {
  int device = 0;
  double flops = 4e11;               // of one run: rows are chosen for it
  int64_t bytes = int64_t{4} << 30;  // the largest buffer
  double least_seconds = 0.2;
};

// The maps of OVAL 2021's wide network, of CNN-17M and of an MNIST layer, forward and backward in float32 and
// backward in float64.
absl::StatusOr<std::vector<Measurement>> MeasureProducts(const ProductSettings& settings);

}  // namespace espalier::gpu_check
