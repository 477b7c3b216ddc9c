// Compact bounds (verifier/backend/compact.h) on the device: thousands of domains at once, one a thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cuda_kernels/state.h"
#include "verifier/backend/compact.h"

namespace espalier::cuda_kernels {

// RESOURCE_EXHAUSTED without room for the network and 32 domains.
absl::StatusOr<std::unique_ptr<backend::CompactBounder>> MakeCudaCompact(
    std::shared_ptr<CudaState> state, const backend::CompactNetwork& network);

}  // namespace espalier::cuda_kernels
