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
                                   &lines.free_start, &lo, &range, &byte_scale}) {
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
    byte_scale[j] = range[j] > 0 ? 255.0f / range[j] : 255.0f;
  }
}

void CompactProgram::PrepareStart(int32_t start_stage) {
  if (!whole_.contains(start_stage)) whole_[start_stage] = WholeReach(*this, start_stage);
}

const PullGroup& CompactProgram::GroupOf(size_t stage, int32_t row) const {
  const std::vector<PullGroup>& groups = forward[stage].groups();
  return *(std::upper_bound(groups.begin(), groups.end(), row,
                            [](int32_t slot, const PullGroup& g) { return slot < g.first; }) -
           1);
}

void CompactProgram::AddStartRow(size_t stage, int32_t row, float coefficient, TileReach::Range own,
                                 float* slots, int64_t lanes) const {
  const GroupedRows& rows = forward[stage];
  const PullGroup& group = GroupOf(stage, row);
  const int32_t* columns = rows.columns().data() + group.column_begin;
  const float* weights = rows.weights().data() + group.weight_begin + (row - group.first);
  const int32_t* first = std::lower_bound(columns, columns + group.columns, own.begin);
  for (const int32_t* c = first; c != columns + group.columns && *c < own.end; ++c) {
    slots[*c * lanes] += coefficient * weights[(c - columns) * group.rows];
  }
}

}  // namespace espalier::backend
