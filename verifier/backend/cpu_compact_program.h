// A compact network as the CPU's kernels read it.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_rows.h"
#include "verifier/backend/cpu_compact_kernels.h"

namespace espalier::backend {

// Shared by all tiles, and not changed while they work.
struct CompactProgram : ProgramRows {
  CompactProgram(const CompactNetwork& source, const CompactKernels& table);
  void SetLines(int32_t first, const CompactLines& from);

  CompactNetwork network;  // without rows
  const CompactKernels& kernels;
  CompactLinesOf<float> lines;
  std::vector<float> lo, range;  // of the slopes, per unstable neuron
  std::vector<float> lower, upper;
  std::vector<bool> stage_has_bias;
};

}  // namespace espalier::backend
