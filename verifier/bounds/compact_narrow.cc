#include "verifier/bounds/compact_narrow.h"

#include <algorithm>
#include <utility>

#include "verifier/bounds/compact.h"

namespace espalier::bounds {
namespace {

using backend::CompactNetwork;
using backend::CompactStage;

class Narrowing {
 public:
  Narrowing(const Plan& plan, const LeftNetwork& from, const InputBoxes& boxes,
            const std::vector<LayerBox>& layers)
      : plan_(plan), from_(from.network), boxes_(boxes), layers_(layers) {}

  // False: the unstable neurons are not some of those that `from` has.
  bool Classify(const LeftNetwork& from, const Relaxation<double>& relaxation);
  CompactNetwork Build();

 private:
  // What a slot is replaced by where it is read: itself, a multiple of another one, or nothing (slot -1).
  struct Reading {
    int32_t slot = -1;
    double scale = 1;
  };
  void MarkNeeded();
  void AddAffine(const CompactStage& stage, CompactStage& own);
  void AddRow(const CompactStage& stage, int32_t row, CompactStage& own);
  void AddActivation(const CompactStage& stage, CompactStage& own);
  int32_t Number(int32_t slot) const { return number_[static_cast<size_t>(slot)]; }

  const Plan& plan_;
  const CompactNetwork& from_;
  const InputBoxes& boxes_;
  const std::vector<LayerBox>& layers_;
  std::vector<Reading> reading_;              // per slot
  std::vector<char> needed_;                  // per slot
  std::vector<int32_t> number_;               // per slot that is needed: in the new network
  std::vector<int32_t> neuron_, activation_;  // per unstable neuron of `from`
  CompactNetwork out_;
  std::vector<std::pair<int32_t, double>> row_;  // scratch
};

bool Narrowing::Classify(const LeftNetwork& from, const Relaxation<double>& relaxation) {
  std::vector<char> unstable;  // per unstable neuron of `from`
  for (size_t a = 0; a < from.unstable.size(); ++a) {
    const std::vector<int32_t>& now = relaxation.unstable(static_cast<int>(a));
    const std::vector<int32_t>& before = from.unstable[a];
    if (!std::includes(before.begin(), before.end(), now.begin(), now.end())) return false;
    for (const int32_t neuron : before) {
      unstable.push_back(std::binary_search(now.begin(), now.end(), neuron) ? 1 : 0);
      neuron_.push_back(neuron);
      activation_.push_back(static_cast<int32_t>(a));
    }
  }
  reading_.resize(static_cast<size_t>(from_.slots));
  for (int32_t s = 0; s < from_.slots; ++s) reading_[static_cast<size_t>(s)].slot = s;
  for (const CompactStage& stage : from_.stages) {
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const size_t u = static_cast<size_t>(stage.first_unstable) + j;
      if (unstable[u] != 0) continue;
      const auto a = static_cast<size_t>(activation_[u]);
      const double slope =
          SlopeBetween(plan_.hinge(activation_[u]), layers_[a], static_cast<size_t>(neuron_[u]));
      reading_[static_cast<size_t>(stage.begin) + j] = {slope == 0 ? -1 : stage.source[j], slope};
    }
  }
  return true;
}

// From the back: what outputs and unstable neurons read, and what that reads.
void Narrowing::MarkNeeded() {
  needed_.assign(static_cast<size_t>(from_.slots), 0);
  std::fill_n(needed_.begin(), from_.inputs, char{1});
  std::fill(needed_.begin() + from_.first_output, needed_.end(), char{1});
  for (const CompactStage& stage : from_.stages) {
    for (size_t j = 0; j < stage.source.size(); ++j) {
      const auto slot = static_cast<size_t>(stage.begin) + j;
      if (reading_[slot].slot != stage.begin + static_cast<int32_t>(j)) continue;
      needed_[slot] = needed_[static_cast<size_t>(stage.source[j])] = 1;
    }
  }
  for (size_t s = from_.stages.size(); s-- > 0;) {
    const CompactStage& stage = from_.stages[s];
    for (size_t r = 0; r < stage.bias.size(); ++r) {
      if (needed_[static_cast<size_t>(stage.begin) + r] == 0) continue;
      for (int64_t k = stage.rows.begin[r]; k < stage.rows.begin[r + 1]; ++k) {
        const Reading& read = reading_[static_cast<size_t>(stage.rows.column[static_cast<size_t>(k)])];
        if (read.slot >= 0) needed_[static_cast<size_t>(read.slot)] = 1;
      }
    }
  }
}

// A neuron that is linear now is a multiple of its source, exactly, and smaller than what it was taken for:
// the row's magnitude stays an upper bound, and each entry is rounded as often as entries meet the same slot,
// and once more.
void Narrowing::AddRow(const CompactStage& stage, int32_t r, CompactStage& own) {
  row_.clear();
  bool replaced = false;
  for (int64_t k = stage.rows.begin[static_cast<size_t>(r)]; k < stage.rows.begin[static_cast<size_t>(r) + 1];
       ++k) {
    const int32_t column = stage.rows.column[static_cast<size_t>(k)];
    const Reading& read = reading_[static_cast<size_t>(column)];
    if (read.slot < 0) continue;
    replaced |= read.slot != column;
    row_.emplace_back(Number(read.slot), stage.rows.value[static_cast<size_t>(k)] * read.scale);
  }
  if (replaced) {
    std::stable_sort(row_.begin(), row_.end(),
                     [](const auto& x, const auto& y) { return x.first < y.first; });
  }
  double repeats = 0, most = 0;
  for (size_t k = 0; k < row_.size(); ++k) {
    if (k > 0 && row_[k].first == row_[k - 1].first) {
      own.rows.value.back() += row_[k].second;
      most = std::max(most, ++repeats);
      continue;
    }
    repeats = 0;
    own.rows.column.push_back(row_[k].first);
    own.rows.value.push_back(row_[k].second);
  }
  own.rows.begin.push_back(static_cast<int64_t>(own.rows.column.size()));
  const auto slot = static_cast<size_t>(stage.begin + r);
  out_.magnitude.push_back(from_.magnitude[slot]);
  out_.rounding.push_back(from_.rounding[slot] + (replaced ? (most + 2) * from_.magnitude[slot] : 0));
}

void Narrowing::AddAffine(const CompactStage& stage, CompactStage& own) {
  own.rows.column.reserve(stage.rows.column.size());
  own.rows.value.reserve(stage.rows.value.size());
  for (int32_t r = 0; r < static_cast<int32_t>(stage.bias.size()); ++r) {
    const auto slot = static_cast<size_t>(stage.begin + r);
    if (needed_[slot] == 0) continue;
    number_[slot] = out_.slots++;
    out_.origin.push_back(from_.origin[slot]);
    own.bias.push_back(stage.bias[static_cast<size_t>(r)]);
    AddRow(stage, r, own);
  }
}

void Narrowing::AddActivation(const CompactStage& stage, CompactStage& own) {
  own.first_unstable = static_cast<int32_t>(out_.lines.size());
  own.source_stage = stage.source_stage;
  for (size_t j = 0; j < stage.source.size(); ++j) {
    const auto slot = static_cast<size_t>(stage.begin) + j;
    if (needed_[slot] == 0) continue;
    number_[slot] = out_.slots++;
    own.source.push_back(Number(stage.source[j]));
    out_.origin.push_back(from_.origin[slot]);
    out_.magnitude.push_back(from_.magnitude[slot]);
    out_.rounding.push_back(0);
    const size_t u = static_cast<size_t>(stage.first_unstable) + j;
    AppendCompactLine(plan_.hinge(activation_[u]), layers_[static_cast<size_t>(activation_[u])],
                      static_cast<size_t>(neuron_[u]), out_.lines);
  }
}

CompactNetwork Narrowing::Build() {
  MarkNeeded();
  number_.assign(static_cast<size_t>(from_.slots), -1);
  out_.inputs = out_.slots = from_.inputs;
  out_.lower = boxes_.lower;
  out_.upper = boxes_.upper;
  for (int32_t i = 0; i < from_.inputs; ++i) {
    const auto slot = static_cast<size_t>(i);
    number_[slot] = i;
    out_.origin.push_back(i);
    out_.magnitude.push_back(from_.magnitude[slot]);
    out_.rounding.push_back(from_.rounding[slot]);
  }
  for (const CompactStage& stage : from_.stages) {
    CompactStage own;
    own.begin = out_.slots;
    stage.source.empty() ? AddAffine(stage, own) : AddActivation(stage, own);
    out_.stages.push_back(std::move(own));
  }
  out_.first_output = Number(from_.first_output);
  return std::move(out_);
}

}  // namespace

std::optional<LeftNetwork> MakeLeftNetwork(const Plan& plan, const InputBoxes& boxes,
                                           const std::vector<LayerBox>& layers,
                                           const Relaxation<double>& relaxation, const LeftNetwork* from) {
  LeftNetwork left;
  for (size_t a = 0; a < layers.size(); ++a)
    left.unstable.push_back(relaxation.unstable(static_cast<int>(a)));
  if (from != nullptr) {
    Narrowing narrowing(plan, *from, boxes, layers);
    if (narrowing.Classify(*from, relaxation)) {
      left.network = narrowing.Build();
      return left;
    }
  }
  auto network = MakeCompactNetwork(plan, boxes, layers, relaxation, kMostCompactWork);
  if (!network.has_value()) return std::nullopt;
  left.network = *std::move(network);
  return left;
}

}  // namespace espalier::bounds
