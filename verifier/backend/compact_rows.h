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

// The stage of the activation's cuts, which stands right before it; null: it has none.
const CompactStage* CutsOf(const CompactNetwork& network, size_t activation);

// Has lines first, first + 1, ... be those of `from`.
void ReplaceLines(int32_t first, const CompactLines& from, CompactLines& lines);

// Rows begin .. end - 1.
struct RowRange {
  int64_t begin = 0, end = 0;
};

// Entries as T: rounded to nearest.
template <class T>
class GroupedRowsOf {
 public:
  GroupedRowsOf() = default;  // no rows
  // Of the rows in the range, whose first one writes slot `first`, the next one the slot behind it.
  GroupedRowsOf(int32_t first, const CompactRows& all, RowRange of, int64_t group_rows);
  PullRowsOf<T> View(const T* bias) const {
    return {groups_.data(), static_cast<int64_t>(groups_.size()), column_.data(), weight_.data(), bias};
  }
  // What View() points to, for a device that keeps its own copy.
  const std::vector<PullGroup>& groups() const { return groups_; }
  const std::vector<int32_t>& columns() const { return column_; }
  const std::vector<T>& weights() const { return weight_; }

 private:
  std::vector<PullGroup> groups_;
  std::vector<int32_t> column_;
  std::vector<T> weight_;
};
using GroupedRows = GroupedRowsOf<float>;

// All rows of a network in both directions. `lines_as_rows`: an affine stage that nothing reads but one
// activation's lines is pulled from its slots, as a row of one entry each, and not relaxed by it.
// `with_forward`: false leaves `forward` without rows.
template <class T>
struct ProgramRowsOf {
  struct Form {
    int64_t group_rows = 1;
    bool lines_as_rows = false, with_forward = true;
  };
  ProgramRowsOf(const CompactNetwork& network, const Form& form);

  std::vector<T> bias;                     // per slot
  std::vector<GroupedRowsOf<T>> forward;   // per stage (no rows for activations)
  std::vector<GroupedRowsOf<T>> backward;  // per stage: from what reads it (not for the outputs)
  GroupedRowsOf<T> to_inputs;
  std::vector<std::vector<int32_t>> relaxed_by;  // affine stage -> activation stages that read it
  std::vector<int32_t> stage_of;                 // per unstable neuron

 private:
  void AddStage(const CompactNetwork& network, const CompactRows& consumers, size_t s, const Form& form);
};
using ProgramRows = ProgramRowsOf<float>;

}  // namespace espalier::backend
