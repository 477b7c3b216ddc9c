#include "verifier/backend/cpu_compact_program.h"

#include <algorithm>

namespace espalier::backend {

CompactProgram::CompactProgram(const CompactNetwork& source, const CompactKernels& table)
    : ProgramRows(source, {.group_rows = table.group_rows}),
      network(WithoutRows(source)),
      kernels(table),
      lower(network.lower.begin(), network.lower.end()),
      upper(network.upper.begin(), network.upper.end()) {
  for (const CompactStage& stage : network.stages) {
    stage_has_bias.push_back(
        std::any_of(stage.bias.begin(), stage.bias.end(), [](double b) { return b != 0; }));
  }
  for (std::vector<float>* list : {&lines.left, &lines.right, &lines.chord_slope, &lines.chord_intercept,
                                   &lines.free_start, &lo, &range}) {
    list->resize(static_cast<size_t>(network.unstable()));
  }
  SetLines(0, network.lines);
}

void CompactProgram::SetLines(int32_t first, const CompactLines& from) {
  const auto round = [&](const std::vector<double>& values, std::vector<float>& to) {
    std::transform(values.begin(), values.end(), to.begin() + first,
                   [](double v) { return static_cast<float>(v); });
  };
  round(from.left, lines.left);
  round(from.right, lines.right);
  round(from.chord_slope, lines.chord_slope);
  round(from.chord_intercept, lines.chord_intercept);
  round(from.free_start, lines.free_start);
  for (size_t j = static_cast<size_t>(first); j < static_cast<size_t>(first) + from.left.size(); ++j) {
    lo[j] = std::min(lines.left[j], lines.right[j]);
    range[j] = std::max(lines.left[j], lines.right[j]) - lo[j];
  }
}

namespace {

// The groups without their columns from slot `end` on. Columns rise.
std::vector<PullGroup> Without(const GroupedRows& rows, int32_t end) {
  std::vector<PullGroup> groups = rows.groups();
  for (PullGroup& group : groups) {
    const auto first = rows.columns().begin() + group.column_begin;
    group.columns = std::lower_bound(first, first + group.columns, end) - first;
  }
  return groups;
}

}  // namespace

void CompactProgram::PrepareStart(size_t stage) {
  if (before_.contains(stage)) return;
  const int32_t end = network.stages[stage].begin;
  Before& before = before_[stage];
  for (size_t s = 0; s < stage; ++s) before.backward.push_back(Without(backward[s], end));
  before.to_inputs = Without(to_inputs, end);
}

void CompactProgram::AddStartRow(size_t stage, int32_t row, float coefficient, SlotRange own, float* slots,
                                 int64_t lanes) const {
  const GroupedRows& rows = forward[stage];
  const PullGroup& group =
      *(std::upper_bound(rows.groups().begin(), rows.groups().end(), row,
                         [](int32_t slot, const PullGroup& g) { return slot < g.first; }) -
        1);
  const int32_t* columns = rows.columns().data() + group.column_begin;
  const float* weights = rows.weights().data() + group.weight_begin + (row - group.first);
  const int32_t* first = std::lower_bound(columns, columns + group.columns, own.begin);
  for (const int32_t* c = first; c != columns + group.columns && *c < own.end; ++c) {
    slots[*c * lanes] += coefficient * weights[(c - columns) * group.rows];
  }
}

}  // namespace espalier::backend
