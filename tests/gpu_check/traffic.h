// The kernels that are limited by memory, against a copy of as many bytes on the card.
#pragma once

#include <vector>

#include "tests/gpu_check/measurement.h"

namespace espalier::gpu_check {

struct TrafficSettings {
  int device = 0;
  int64_t rows = 4096;     // of the batch, each of its own domain
  int64_t neurons = 8192;  // of a layer; a third of them unstable
  double least_seconds = 0.1;
};

struct Traffic {
  double copy_bytes_per_second = 0;  // read and written, by the driver's own copy
  std::vector<Measurement> kernels;
};

absl::StatusOr<Traffic> MeasureTraffic(const TrafficSettings& settings);

}  // namespace espalier::gpu_check
