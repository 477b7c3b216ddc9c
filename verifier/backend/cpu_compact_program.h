// A compact network as the CPU's kernels read it.
#pragma once

#include <cstdint>
#include <map>
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

  // What is read backwards when the rows of an earlier stage than the last one are bounded: its own columns
  // have few entries, which are added one by one (AddStartRow), and those of later stages have none.
  struct Before {
    std::vector<std::vector<PullGroup>> backward;  // per stage before it
    std::vector<PullGroup> to_inputs;
  };
  // Has to be called before tiles start at the stage.
  void PrepareStart(size_t stage);
  const Before& BeforeStart(size_t stage) const { return before_.at(stage); }
  // slots[lane] += coefficient times the entries of slot `row`'s row that lie in begin .. end - 1.
  struct SlotRange {
    int32_t begin = 0, end = 0;
  };
  void AddStartRow(size_t stage, int32_t row, float coefficient, SlotRange own, float* slots,
                   int64_t lanes) const;

 private:
  std::map<size_t, Before> before_;
};

}  // namespace espalier::backend
