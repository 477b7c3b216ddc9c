#include "verifier/backend/cpu_compact_reach.h"

#include <algorithm>
#include <iterator>

#include "verifier/backend/cpu_compact_program.h"

namespace espalier::backend {
namespace {

// Unstable neurons so close to one another are one range: a few too many cost less than another range.
constexpr int32_t kClose = 4;
constexpr int64_t kWorkPerInput = 4;

// The groups without their columns from slot `end` on. Columns rise.
std::vector<PullGroup> Without(const GroupedRows& rows, int32_t end) {
  std::vector<PullGroup> groups = rows.groups();
  for (PullGroup& group : groups) {
    const auto first = rows.columns().begin() + group.column_begin;
    group.columns = std::lower_bound(first, first + group.columns, end) - first;
  }
  return groups;
}

int64_t Entries(const std::vector<PullGroup>& groups) {
  int64_t sum = 0;
  for (const PullGroup& group : groups) sum += group.rows * group.columns;
  return sum;
}

class ConeMaker {
 public:
  ConeMaker(const CompactProgram& program, const TileReach& whole, std::vector<uint8_t>& marks,
            TileReach& cone)
      : program_(program), whole_(whole), marks_(marks), cone_(cone) {}

  void Begin(size_t start, const ConeTips& tips);
  void AddStage(size_t s);
  void AddInputs();

 private:
  bool Touched(const PullGroup& group) const {
    const auto first = marks_.begin() + group.first;
    return std::any_of(first, first + group.rows, [](uint8_t mark) { return mark != 0; });
  }
  void Mark(int32_t slot) { marks_[static_cast<size_t>(slot)] = 1; }
  void MarkColumns(const GroupedRows& rows, const PullGroup& group) {
    const int32_t* columns = rows.columns().data() + group.column_begin;
    for (int64_t k = 0; k < group.columns; ++k) Mark(columns[k]);
  }
  void AddAffine(size_t s);
  void AddLines(size_t s);
  void MarkCuts(size_t s);

  const CompactProgram& program_;
  const TileReach& whole_;
  std::vector<uint8_t>& marks_;
  TileReach& cone_;
};

void ConeMaker::Begin(size_t start, const ConeTips& tips) {
  marks_.assign(static_cast<size_t>(program_.network.slots), 0);
  for (auto* lists : {&cone_.backward, &cone_.forward}) {
    lists->resize(start);
    for (auto& list : *lists) list.clear();
  }
  cone_.lines.resize(start);
  for (auto& list : cone_.lines) list.clear();
  cone_.affine.assign(start, {});
  cone_.to_inputs.clear();
  cone_.inputs.clear();
  for (const int32_t row : tips.rows) MarkColumns(program_.forward[start], program_.GroupOf(start, row));
  for (const int32_t neuron : tips.neurons) {
    const auto s = static_cast<size_t>(program_.stage_of[static_cast<size_t>(neuron)]);
    const CompactStage& stage = program_.network.stages[s];
    if (s < start) Mark(stage.begin + neuron - stage.first_unstable);
  }
}

void ConeMaker::AddAffine(size_t s) {
  const GroupedRows& rows = program_.forward[s];
  for (const PullGroup& group : rows.groups()) {
    if (!Touched(group)) continue;
    std::fill_n(marks_.begin() + group.first, group.rows, uint8_t{1});
    MarkColumns(rows, group);
    cone_.forward[s].push_back(group);
  }
  if (cone_.forward[s].empty()) return;
  const PullGroup &first = cone_.forward[s].front(), &last = cone_.forward[s].back();
  cone_.affine[s] = {first.first, last.first + last.rows};
}

void ConeMaker::AddLines(size_t s) {
  const CompactStage& stage = program_.network.stages[s];
  std::vector<TileReach::Range>& ranges = cone_.lines[s];
  for (int32_t j = 0; j < stage.size(); ++j) {
    if (marks_[static_cast<size_t>(stage.begin + j)] == 0) continue;
    Mark(stage.source[static_cast<size_t>(j)]);
    if (ranges.empty() || j > ranges.back().end + kClose) {
      ranges.push_back({j, j + 1});
    } else {
      ranges.back().end = j + 1;
    }
  }
  for (const TileReach::Range& range : ranges) {
    std::fill_n(marks_.begin() + stage.begin + range.begin, range.size(), uint8_t{1});
  }
  MarkCuts(s);
}

// With neurons their cuts, which are in the stage before.
void ConeMaker::MarkCuts(size_t s) {
  const CompactStage* cuts = CutsOf(program_.network, s);
  if (cuts == nullptr) return;
  const int32_t neurons = program_.network.stages[s].begin;
  for (int32_t i = 0; i < cuts->size(); ++i) {
    if (marks_[static_cast<size_t>(neurons + cuts->cut_of[static_cast<size_t>(i)])] != 0)
      Mark(cuts->begin + i);
  }
}

void ConeMaker::AddStage(size_t s) {
  program_.network.stages[s].source.empty() ? AddAffine(s) : AddLines(s);
  std::copy_if(whole_.backward[s].begin(), whole_.backward[s].end(), std::back_inserter(cone_.backward[s]),
               [&](const PullGroup& group) { return Touched(group); });
}

// An input keeps the corner of the pass before, so that only those are touched that are written anew.
void ConeMaker::AddInputs() {
  for (const PullGroup& group : whole_.to_inputs) {
    if (!Touched(group)) continue;
    std::fill_n(marks_.begin() + group.first, group.rows, uint8_t{1});
    cone_.to_inputs.push_back(group);
    const int32_t end = group.first + group.rows;
    if (cone_.inputs.empty() || cone_.inputs.back().end != group.first) {
      cone_.inputs.push_back({group.first, end});
    } else {
      cone_.inputs.back().end = end;
    }
  }
}

}  // namespace

int64_t TileReach::Work() const {
  int64_t work = Entries(to_inputs);
  for (const Range& range : inputs) work += kWorkPerInput * range.size();
  for (const auto* lists : {&backward, &forward}) {
    for (const auto& groups : *lists) work += Entries(groups);
  }
  return work;
}

TileReach WholeReach(const CompactProgram& program, int32_t start_stage) {
  const std::vector<CompactStage>& stages = program.network.stages;
  const size_t start = start_stage < 0 ? stages.size() - 1 : static_cast<size_t>(start_stage);
  const int32_t end = start_stage < 0 ? program.network.slots : stages[start].begin;
  TileReach reach;
  for (size_t s = 0; s < start; ++s) {
    reach.backward.push_back(Without(program.backward[s], end));
    reach.forward.push_back(program.forward[s].groups());
    reach.affine.push_back({stages[s].begin, stages[s].begin + stages[s].size()});
    reach.lines.emplace_back();
    if (!stages[s].source.empty()) reach.lines[s].push_back({0, stages[s].size()});
  }
  reach.to_inputs = Without(program.to_inputs, end);
  reach.inputs.push_back({0, program.network.inputs});
  return reach;
}

void MakeCone(const CompactProgram& program, int32_t start_stage, const ConeTips& tips,
              std::vector<uint8_t>& marks, TileReach& cone) {
  const auto start = static_cast<size_t>(start_stage);
  ConeMaker maker(program, program.Whole(start_stage), marks, cone);
  maker.Begin(start, tips);
  for (size_t s = start; s-- > 0;) maker.AddStage(s);
  maker.AddInputs();
}

}  // namespace espalier::backend
