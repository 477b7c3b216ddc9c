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

// For every slot the rows that read it: column = slot of the row.
CompactRows Consumers(const CompactNetwork& network);
// Rows begin .. end-1 of `rows`.
CompactRows SliceRows(const CompactRows& rows, int32_t begin, int32_t end);

}  // namespace espalier::backend
