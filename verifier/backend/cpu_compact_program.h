// A compact network as the CPU's kernels read it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/backend/compact_rows.h"
#include "verifier/backend/cpu_compact_kernels.h"
#include "verifier/backend/cpu_compact_reach.h"

namespace espalier::backend {

// Shared by all tiles, and not changed while they work.
struct CompactProgram : ProgramRows {
  CompactProgram(const CompactNetwork& source, const CompactKernels& table);
  void SetLines(int32_t first, const CompactLines& from);

  CompactNetwork network;  // without rows
  const CompactKernels& kernels;
  CompactLinesOf<float> lines;
  std::vector<float> lo, range;   // of the slopes, per unstable neuron
  std::vector<float> byte_scale;  // 255 / range
  std::vector<float> lower, upper;
  std::vector<bool> stage_has_bias;

  // Has to be called before tiles start at the stage (CompactSettings::start_stage). What a tile then passes:
  // rows of the start stage itself have few entries, which are added one by one.
  void PrepareStart(int32_t start_stage);
  const TileReach& Whole(int32_t start_stage) const { return whole_.at(start_stage); }

  // The group of the stage's rows that writes slot `row`.
  const PullGroup& GroupOf(size_t stage, int32_t row) const;
  // slots[lane] += coefficient times the entries of slot `row`'s row that lie in `own`.
  void AddStartRow(size_t stage, int32_t row, float coefficient, TileReach::Range own, float* slots,
                   int64_t lanes) const;

 private:
  std::map<int32_t, TileReach> whole_;
};

}  // namespace espalier::backend
