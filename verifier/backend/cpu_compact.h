// backend/compact.h on the CPU: tiles of domains that stay in the cache, one tile at a time per thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/compact.h"
#include "verifier/backend/cpu_state.h"

namespace espalier::backend {

// `backend` and `state` outlive the bounder.
absl::StatusOr<std::unique_ptr<CompactBounder>> MakeCpuCompact(const CompactNetwork& network,
                                                               Backend& backend, CpuState& state);

}  // namespace espalier::backend
