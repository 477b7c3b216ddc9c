// backend/compact_certifier.h on the CPU: tiles of claims, one at a time per thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/compact_certifier.h"
#include "verifier/backend/cpu_state.h"

namespace espalier::backend {

// `backend` and `state` outlive the certifier.
absl::StatusOr<std::unique_ptr<CompactCertifier>> MakeCpuCertifier(const CompactNetwork& network,
                                                                   Backend& backend, CpuState& state);

}  // namespace espalier::backend
