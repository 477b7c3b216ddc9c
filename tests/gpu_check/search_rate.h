// How fast the search's own passes are: domains of one root, on a network like what is left of a
// convolutional one below it (backend/compact.h).
#pragma once

#include <vector>

#include "tests/gpu_check/measurement.h"

namespace espalier::gpu_check {

struct SearchSettings {
  int device = 0;
  std::vector<int64_t> domains = {1024, 8192};  // at a time
  int64_t pixels = 32;                          // of a side of the input image
  int64_t steps = 10;
  double least_seconds = 0.5;
};

// Rows are domains; one run bounds all of them in `steps` steps, with what the host does for that. The limit
// is `product_rate` flops a second, of a product of the library.
absl::StatusOr<std::vector<Measurement>> MeasureSearch(const SearchSettings& settings, double product_rate);

}  // namespace espalier::gpu_check
