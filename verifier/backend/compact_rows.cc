#include "verifier/backend/compact_rows.h"

#include <omp.h>

#include <algorithm>

namespace espalier::backend {

bool HasCuts(const CompactNetwork& network) {
  return std::any_of(network.stages.begin(), network.stages.end(),
                     [](const CompactStage& stage) { return !stage.cut_of.empty(); });
}

const CompactStage* CutsOf(const CompactNetwork& network, size_t activation) {
  if (activation == 0 || network.stages[activation - 1].cut_of.empty()) return nullptr;
  return &network.stages[activation - 1];
}

CompactNetwork WithoutRows(const CompactNetwork& network) {
  CompactNetwork result;
  result.inputs = network.inputs;
  result.slots = network.slots;
  result.first_output = network.first_output;
  result.lower = network.lower;
  result.upper = network.upper;
  result.lines = network.lines;
  result.magnitude = network.magnitude;
  result.rounding = network.rounding;
  result.origin = network.origin;
  for (const CompactStage& stage : network.stages) {
    CompactStage& own = result.stages.emplace_back();
    own.begin = stage.begin;
    own.bias = stage.bias;
    own.first_unstable = stage.first_unstable;
    own.source = stage.source;
    own.source_stage = stage.source_stage;
    own.cut_of = stage.cut_of;
  }
  return result;
}

void ReplaceLines(int32_t first, const CompactLines& from, CompactLines& lines) {
  const auto copy = [&](const std::vector<double>& values, std::vector<double>& to) {
    std::copy(values.begin(), values.end(), to.begin() + first);
  };
  copy(from.left, lines.left);
  copy(from.right, lines.right);
  copy(from.chord_slope, lines.chord_slope);
  copy(from.chord_intercept, lines.chord_intercept);
  copy(from.free_start, lines.free_start);
}

namespace {

// Columns begin .. end - 1 of all rows to where `next` says, which moves on.
void AddConsumers(const CompactNetwork& network, int32_t begin, int32_t end, std::vector<int64_t>& next,
                  CompactRows& result) {
  for (const CompactStage& stage : network.stages) {
    const int32_t* const columns = stage.rows.column.data();
    for (size_t r = 0; r + 1 < stage.rows.begin.size(); ++r) {
      const int32_t* const last = columns + stage.rows.begin[r + 1];
      const int32_t* column = std::lower_bound(columns + stage.rows.begin[r], last, begin);  // they rise
      for (; column != last && *column < end; ++column) {
        const auto at = static_cast<size_t>(next[static_cast<size_t>(*column)]++);
        result.column[at] = stage.begin + static_cast<int32_t>(r);
        result.value[at] = stage.rows.value[static_cast<size_t>(column - columns)];
      }
    }
  }
}

}  // namespace

CompactRows ConsumersOf(const CompactNetwork& network) {
  CompactRows result;
  result.begin.assign(static_cast<size_t>(network.slots) + 1, 0);
  for (const CompactStage& stage : network.stages) {
    for (int32_t c : stage.rows.column) ++result.begin[static_cast<size_t>(c) + 1];
  }
  for (size_t s = 1; s < result.begin.size(); ++s) result.begin[s] += result.begin[s - 1];
  std::vector<int64_t> next(result.begin.begin(), result.begin.end() - 1);
  result.column.resize(static_cast<size_t>(result.begin.back()));
  result.value.resize(result.column.size());
  // Slots with about as many readers for each of the threads.
  const int64_t pieces = omp_get_max_threads();
  const auto first_of = [&](int64_t piece) {
    const int64_t entry = result.begin.back() * piece / pieces;
    return static_cast<int32_t>(std::lower_bound(result.begin.begin(), result.begin.end(), entry) -
                                result.begin.begin());
  };
#pragma omp parallel for
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int32_t end = piece + 1 < pieces ? first_of(piece + 1) : network.slots;
    AddConsumers(network, first_of(piece), end, next, result);
  }
  return result;
}

namespace {

// Slots of `stage` from the lines of `reader`: a row with one entry for each of the reader's sources.
CompactRows FromLines(const CompactStage& stage, const CompactStage& reader) {
  std::vector<int32_t> line_of(static_cast<size_t>(stage.size()), -1);
  for (size_t j = 0; j < reader.source.size(); ++j) {
    line_of[static_cast<size_t>(reader.source[j] - stage.begin)] = reader.begin + static_cast<int32_t>(j);
  }
  CompactRows rows;
  for (const int32_t line : line_of) {
    if (line >= 0) rows.column.push_back(line), rows.value.push_back(1.0);
    rows.begin.push_back(static_cast<int64_t>(rows.column.size()));
  }
  return rows;
}

}  // namespace

template <class T>
GroupedRowsOf<T>::GroupedRowsOf(int32_t first, const CompactRows& all, RowRange of, int64_t group_rows) {
  const int64_t* const begin = all.begin.data() + of.begin;  // of the range's rows
  const int64_t count = of.end - of.begin;
  const auto columns_of = [&](int64_t r) { return all.column.begin() + begin[r]; };
  const auto same = [&](int64_t a, int64_t b) {
    return std::equal(columns_of(a), columns_of(a + 1), columns_of(b), columns_of(b + 1));
  };
  weight_.reserve(static_cast<size_t>(begin[count] - begin[0] + kWeightAlignment * count));
  column_.reserve(static_cast<size_t>(begin[count] - begin[0]));
  int64_t block = 0;  // first row of the current run of equal column lists
  for (int64_t r = 0; r < count;) {
    if (r == 0 || !same(block, r)) {
      block = r;
    }
    int64_t end = r + 1;
    while (end < count && end - r < group_rows && same(block, end)) ++end;
    PullGroup group;
    group.first = first + static_cast<int32_t>(r);
    group.rows = static_cast<int32_t>(end - r);
    group.columns = begin[r + 1] - begin[r];
    const bool repeats = !groups_.empty() && block < r;
    group.column_begin = repeats ? groups_.back().column_begin : static_cast<int64_t>(column_.size());
    if (!repeats) column_.insert(column_.end(), columns_of(r), columns_of(r + 1));
    group.weight_begin =
        (static_cast<int64_t>(weight_.size()) + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
    weight_.resize(static_cast<size_t>(group.weight_begin + group.columns * group.rows), T(0));
    T* weight = weight_.data() + group.weight_begin;
    for (int64_t k = 0; k < group.columns; ++k) {
      for (int64_t i = r; i < end; ++i)
        *weight++ = static_cast<T>(all.value[static_cast<size_t>(begin[i] + k)]);
    }
    groups_.push_back(group);
    r = end;
  }
}

template <class T>
ProgramRowsOf<T>::ProgramRowsOf(const CompactNetwork& network, const Form& form)
    : bias(static_cast<size_t>(network.slots), T(0)),
      forward(network.stages.size()),
      backward(network.stages.size()),
      relaxed_by(network.stages.size()),
      stage_of(static_cast<size_t>(network.unstable())) {
  const bool made = network.consumers.count() > 0;
  const CompactRows own = made ? CompactRows() : ConsumersOf(network);
  const CompactRows& consumers = made ? network.consumers : own;
  for (size_t s = 0; s < network.stages.size(); ++s) {
    const int32_t source = network.stages[s].source_stage;
    if (source >= 0) relaxed_by[static_cast<size_t>(source)].push_back(static_cast<int32_t>(s));
    std::fill_n(stage_of.begin() + network.stages[s].first_unstable, network.stages[s].source.size(),
                static_cast<int32_t>(s));
  }
  // Each stage by itself. The last one of the backward direction is the inputs'.
#pragma omp parallel for schedule(dynamic)
  for (size_t s = 0; s <= network.stages.size(); ++s) {
    if (s == network.stages.size()) {
      to_inputs = GroupedRowsOf<T>(0, consumers, {0, network.inputs}, form.group_rows);
    } else {
      AddStage(network, consumers, s, form);
    }
  }
}

template <class T>
void ProgramRowsOf<T>::AddStage(const CompactNetwork& network, const CompactRows& consumers, size_t s,
                                const Form& form) {
  const CompactStage& stage = network.stages[s];
  std::transform(stage.bias.begin(), stage.bias.end(), bias.begin() + stage.begin,
                 [](double b) { return static_cast<T>(b); });
  forward[s] = {stage.begin, stage.rows, RowRange{0, form.with_forward ? stage.rows.count() : 0},
                form.group_rows};
  // The coefficients of cuts come from the activation behind them.
  if (!stage.cut_of.empty()) return;
  const RowRange own{stage.begin, stage.begin + stage.size()};
  const bool unread =
      consumers.begin[static_cast<size_t>(own.begin)] == consumers.begin[static_cast<size_t>(own.end)];
  if (form.lines_as_rows && unread && relaxed_by[s].size() == 1) {
    const CompactRows lines = FromLines(stage, network.stages[static_cast<size_t>(relaxed_by[s][0])]);
    backward[s] = {stage.begin, lines, RowRange{0, lines.count()}, form.group_rows};
    relaxed_by[s].clear();
  } else {
    backward[s] = {stage.begin, consumers, own, form.group_rows};
  }
}

template class GroupedRowsOf<float>;
template class GroupedRowsOf<double>;
template struct ProgramRowsOf<float>;
template struct ProgramRowsOf<double>;

}  // namespace espalier::backend
