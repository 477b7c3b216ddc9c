// How the memory that a call of Train, Graft or Compare may take is divided.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/dataset.h"
#include "verifier/ir/network.h"

namespace espalier {

// Bytes; 0: no limit.
struct MemoryShares {
  int64_t backend = 0;       // values, gradients and parameters of what is trained, scored or measured
  int64_t verification = 0;  // of one sample, as options.memory_bytes
};

struct MemoryUse {
  std::vector<const ir::Network*> networks;
  std::vector<const Dataset*> data;  // those that are there; null ones count nothing
  bool verifies = false;             // samples are verified as well
};

// `memory_bytes`: of the whole call beside what the process holds without it; 0: no limit. RESOURCE_EXHAUSTED
// when the data and the networks' copies on the host leave less than a call can do anything with.
absl::StatusOr<MemoryShares> DivideMemory(int64_t memory_bytes, const MemoryUse& use);

}  // namespace espalier
