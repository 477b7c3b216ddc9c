// The rows of a compact network in the form that kernels read, in both directions.
//
// Both directions *pull*: a slot is written once, from all that it reads (forward) or from all that reads it
// (backward), so nothing is cleared or accumulated. Neighbouring rows with the same columns (the channels of
// a pixel, the neurons of a dense layer) are grouped, so that a column that was loaded serves several of
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/backend/compact.h"
#include "verifier/backend/pull_rows.h"

namespace espalier::backend {

class GroupedRows {
 public:
  // Row r writes slot `first` + r.
  GroupedRows(int32_t first, const CompactRows& rows, int64_t group_rows);
  PullRows View(const float* bias) const {
    return {groups_.data(), static_cast<int64_t>(groups_.size()), column_.data(), weight_.data(), bias};
  }
  // What View() points to, for a device that keeps its own copy.
  const std::vector<PullGroup>& groups() const { return groups_; }
  const std::vector<int32_t>& columns() const { return column_; }
  const std::vector<float>& weights() const { return weight_; }

 private:
  std::vector<PullGroup> groups_;
  std::vector<int32_t> column_;
  std::vector<float> weight_;
};

// All rows of a network in both directions. `lines_as_rows`: an affine stage that nothing reads but one
// activation's lines is pulled from its slots, as a row of one entry each, and not relaxed by it.
struct ProgramRows {
  ProgramRows(const CompactNetwork& network, int64_t group_rows, bool lines_as_rows);

  std::vector<float> bias;            // per slot
  std::vector<GroupedRows> forward;   // per stage (no rows for activations)
  std::vector<GroupedRows> backward;  // per stage: from what reads it (not for the outputs)
  GroupedRows to_inputs;
  std::vector<std::vector<int32_t>> relaxed_by;  // affine stage -> activation stages that read it
};

}  // namespace espalier::backend
