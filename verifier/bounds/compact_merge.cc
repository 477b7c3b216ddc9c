#include "verifier/bounds/compact_merge.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

using backend::CompactNetwork;
using backend::CompactStage;

// Multiply-adds that deciding one stage may cost: a fraction of a second.
constexpr double kMostProducts = 2e8;
// Entries in longer rows with more different columns are a little slower than in shorter ones with equal
// ones.
constexpr double kWorthwhile = 0.8;
constexpr size_t kSamples = 8;

using Row = std::vector<std::pair<int32_t, double>>;  // ascending slots

class Merger {
 public:
  explicit Merger(CompactNetwork& network);
  void Run();

 private:
  void MergeStage(size_t stage);
  void NoteReach(const std::vector<int32_t>& slots);
  // The row with every passed-through slot replaced by what it reads; what that is has been noted.
  Row Expand(const Row& row, double& bias);
  void NoteExpanded(int32_t slot);
  double SampledSize(const std::vector<int32_t>& readers);
  bool Reads(const Row& row) const;
  void Store();

  CompactNetwork& network_;
  std::vector<Row> rows_;          // per slot; empty for inputs and unstable neurons
  std::vector<double> bias_;       // per slot
  std::vector<int32_t> stage_of_;  // per slot, -1: inputs
  std::vector<char> kept_;         // per slot: read by an unstable neuron, or an output
  std::vector<char> passed_;       // per slot: being merged
  std::vector<char> gone_;         // per slot: merged
  std::vector<int32_t> reach_;     // what the slots that are being merged read, ascending
  std::vector<char> in_reach_;     // per slot, scratch of NoteReach
  std::vector<double> sum_;        // per slot, scratch of Expand: zero
};

Merger::Merger(CompactNetwork& network) : network_(network) {
  const auto slots = static_cast<size_t>(network.slots);
  rows_.resize(slots);
  bias_.assign(slots, 0.0);
  stage_of_.assign(slots, -1);
  kept_.assign(slots, 0);
  passed_.assign(slots, 0);
  gone_.assign(slots, 0);
  sum_.assign(slots, 0.0);
  in_reach_.assign(slots, 0);
  for (size_t s = 0; s < network.stages.size(); ++s) {
    const CompactStage& stage = network.stages[s];
    for (int32_t source : stage.source) kept_[static_cast<size_t>(source)] = 1;
    for (int32_t k = 0; k < stage.size(); ++k) {
      const auto slot = static_cast<size_t>(stage.begin + k);
      stage_of_[slot] = static_cast<int32_t>(s);
      if (!stage.source.empty() || slot >= static_cast<size_t>(network.first_output)) kept_[slot] = 1;
      if (stage.bias.empty()) continue;
      bias_[slot] = stage.bias[static_cast<size_t>(k)];
      for (int64_t e = stage.rows.begin[static_cast<size_t>(k)];
           e < stage.rows.begin[static_cast<size_t>(k) + 1]; ++e)
        rows_[slot].emplace_back(stage.rows.column[static_cast<size_t>(e)],
                                 stage.rows.value[static_cast<size_t>(e)]);
    }
  }
}

bool Merger::Reads(const Row& row) const {
  return std::any_of(row.begin(), row.end(),
                     [&](const auto& entry) { return passed_[static_cast<size_t>(entry.first)] != 0; });
}

// The products' targets, once for all readers: what is left to do for a product is one addition.
void Merger::NoteReach(const std::vector<int32_t>& slots) {
  reach_.clear();
  for (int32_t slot : slots) {
    for (const auto& [column, value] : rows_[static_cast<size_t>(slot)]) {
      if (std::exchange(in_reach_[static_cast<size_t>(column)], 1) == 0) reach_.push_back(column);
    }
  }
  std::sort(reach_.begin(), reach_.end());
  for (int32_t column : reach_) in_reach_[static_cast<size_t>(column)] = 0;
}

Row Merger::Expand(const Row& row, double& bias) {
  double constant = bias;
  Row own;
  for (const auto& [column, value] : row) {
    const auto c = static_cast<size_t>(column);
    if (passed_[c] == 0) {
      own.emplace_back(column, value);
      continue;
    }
    constant += value * bias_[c];
    for (const auto& [inner, factor] : rows_[c]) sum_[static_cast<size_t>(inner)] += value * factor;
  }
  Row expanded;
  expanded.reserve(reach_.size() + own.size());
  auto next = own.begin();
  for (int32_t column : reach_) {
    for (; next != own.end() && next->first < column; ++next) expanded.push_back(*next);
    double sum = std::exchange(sum_[static_cast<size_t>(column)], 0.0);
    if (next != own.end() && next->first == column) sum += (next++)->second;
    if (sum != 0) expanded.emplace_back(column, sum);
  }
  expanded.insert(expanded.end(), next, own.end());
  bias = constant;
  return expanded;
}

// How many entries the readers would have, from a few of them: most attempts end here.
double Merger::SampledSize(const std::vector<int32_t>& readers) {
  const size_t step = std::max<size_t>(readers.size() / kSamples, 1);
  double sum = 0, count = 0;
  for (size_t k = 0; k < readers.size(); k += step, ++count) {
    double bias = 0;
    sum += static_cast<double>(Expand(rows_[static_cast<size_t>(readers[k])], bias).size());
  }
  return sum / count * static_cast<double>(readers.size());
}

void Merger::MergeStage(size_t stage) {
  const CompactStage& merged = network_.stages[stage];
  double before = 0, products = 0;
  std::vector<int32_t> slots;
  for (int32_t slot = merged.begin; slot < merged.begin + merged.size(); ++slot) {
    if (kept_[static_cast<size_t>(slot)] != 0) continue;
    passed_[static_cast<size_t>(slot)] = 1;
    slots.push_back(slot);
    before += static_cast<double>(rows_[static_cast<size_t>(slot)].size());
  }
  std::vector<int32_t> readers;
  for (int32_t slot = merged.begin + merged.size(); slot < network_.slots && !slots.empty(); ++slot) {
    const Row& row = rows_[static_cast<size_t>(slot)];
    if (gone_[static_cast<size_t>(slot)] != 0 || !Reads(row)) continue;
    readers.push_back(slot);
    before += static_cast<double>(row.size());
    for (const auto& [column, value] : row) {
      if (passed_[static_cast<size_t>(column)] != 0)
        products += static_cast<double>(rows_[static_cast<size_t>(column)].size());
    }
  }
  NoteReach(slots);
  double after = 0;
  std::vector<Row> expanded;
  std::vector<double> bias;
  if (!readers.empty() && products < kMostProducts && SampledSize(readers) < kWorthwhile * before) {
    for (int32_t slot : readers) {
      bias.push_back(bias_[static_cast<size_t>(slot)]);
      expanded.push_back(Expand(rows_[static_cast<size_t>(slot)], bias.back()));
      after += static_cast<double>(expanded.back().size());
      if (after > before) break;
    }
  }
  const bool merge = !readers.empty() && expanded.size() == readers.size() && after < kWorthwhile * before;
  for (int32_t slot : slots) {
    if (merge) gone_[static_cast<size_t>(slot)] = 1;
  }
  for (int32_t slot : readers) {
    if (merge) NoteExpanded(slot);
  }
  for (size_t k = 0; k < readers.size() && merge; ++k) {
    rows_[static_cast<size_t>(readers[k])] = std::move(expanded[k]);
    bias_[static_cast<size_t>(readers[k])] = bias[k];
  }
  for (int32_t slot : slots) passed_[static_cast<size_t>(slot)] = 0;
}

// What the row, still as it was, will be off by. A slot k that it reads with entry w is known up to its own
// error, and every entry becomes a sum of at most as many products as slots go, and itself.
void Merger::NoteExpanded(int32_t slot) {
  const auto at = static_cast<size_t>(slot);
  double passed = 0, magnitude = 0, rounding = 0;
  for (const auto& [column, value] : rows_[at]) {
    const auto c = static_cast<size_t>(column);
    if (passed_[c] == 0) continue;
    ++passed;
    magnitude += std::fabs(value) * network_.magnitude[c];
    rounding += std::fabs(value) * network_.rounding[c];
  }
  network_.magnitude[at] = (network_.magnitude[at] + magnitude) * kAgainstRounding;
  network_.rounding[at] =
      (network_.rounding[at] + rounding + (passed + 2) * network_.magnitude[at]) * kAgainstRounding;
}

// Writes the rows back without the slots that are gone.
void Merger::Store() {
  std::vector<int32_t> number(rows_.size(), -1);
  int32_t next = 0;
  for (size_t slot = 0; slot < rows_.size(); ++slot) {
    if (gone_[slot] == 0) number[slot] = next++;
  }
  int32_t place = network_.inputs;
  for (size_t slot = 0; slot < number.size(); ++slot) {
    if (number[slot] < 0) continue;
    network_.magnitude[static_cast<size_t>(number[slot])] = network_.magnitude[slot];
    network_.rounding[static_cast<size_t>(number[slot])] = network_.rounding[slot];
    network_.origin[static_cast<size_t>(number[slot])] = network_.origin[slot];
  }
  network_.magnitude.resize(static_cast<size_t>(next));
  network_.rounding.resize(static_cast<size_t>(next));
  network_.origin.resize(static_cast<size_t>(next));
  for (CompactStage& stage : network_.stages) {
    const int32_t begin = stage.begin, end = stage.begin + stage.size();
    const bool affine = !stage.bias.empty();
    for (int32_t& source : stage.source) source = number[static_cast<size_t>(source)];
    stage.rows = {};
    stage.bias.clear();
    stage.begin = place;
    for (int32_t slot = begin; slot < end; ++slot) place += gone_[static_cast<size_t>(slot)] == 0;
    for (int32_t slot = begin; slot < end && affine; ++slot) {
      if (gone_[static_cast<size_t>(slot)] != 0) continue;
      stage.bias.push_back(bias_[static_cast<size_t>(slot)]);
      for (const auto& [column, value] : rows_[static_cast<size_t>(slot)]) {
        stage.rows.column.push_back(number[static_cast<size_t>(column)]);
        stage.rows.value.push_back(value);
      }
      stage.rows.begin.push_back(static_cast<int64_t>(stage.rows.column.size()));
    }
  }
  network_.first_output = number[static_cast<size_t>(network_.first_output)];
  network_.slots = next;
}

void Merger::Run() {
  for (size_t stage = network_.stages.size(); stage-- > 0;) {
    if (!network_.stages[stage].bias.empty()) MergeStage(stage);
  }
  if (std::find(gone_.begin(), gone_.end(), char{1}) != gone_.end()) Store();
}

}  // namespace

void MergeLinearSlots(CompactNetwork& network) {
  Merger(network).Run();
}

}  // namespace espalier::bounds
