// How far two networks of equal input and output can differ over boxes: certified bounds of the difference
// network, and what a gradient search finds.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/base/stop_token.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

struct CompareSettings {
  double epsilon = 0;  // radius of the boxes, input units; boxes are cut to [low, high]
  double low = 0, high = 1;
  int64_t samples = 100;
  int64_t alpha_iterations = 20;
};

struct Differences {
  std::vector<double> bound;  // [samples] certified: max over the box and the outputs of |other - base|
  std::vector<double> found;  // [samples] largest difference that was seen, at the sample or by search
  int64_t disagree = 0;       // samples whose predicted classes differ at the sample itself
};

// One network that computes other(x) - base(x). INVALID_ARGUMENT when inputs or outputs do not fit.
absl::StatusOr<ir::Network> DifferenceNetwork(const ir::Network& base, const ir::Network& other);

absl::StatusOr<Differences> CompareNetworks(const ir::Network& base, const ir::Network& other,
                                            const Dataset& data, const std::vector<int64_t>& order,
                                            const CompareSettings& settings, backend::Backend& backend,
                                            StopToken stop);

}  // namespace espalier::graft
