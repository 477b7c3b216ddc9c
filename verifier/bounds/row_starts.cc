#include "verifier/bounds/row_starts.h"

#include <algorithm>
#include <utility>

namespace espalier::bounds {

using backend::CompactDomain;

int32_t RowStarts::NumberBefore(int activation, const NeuronSide& side) const {
  if (side.activation >= activation) return -1;
  const std::vector<int32_t>& unstable = network_.unstable(side.activation);
  const auto found = std::lower_bound(unstable.begin(), unstable.end(), side.neuron);
  if (found == unstable.end() || *found != side.neuron) return -1;
  return network_.first(side.activation) + static_cast<int32_t>(found - unstable.begin());
}

void RowStarts::Number() {
  const std::vector<std::vector<int32_t>>& unstable = network_.unstable();
  if (from_ != nullptr && !from_->empty()) {
    int32_t before = 0;
    for (size_t a = 0; a < unstable.size(); ++a) {
      const std::vector<int32_t>& theirs = from_->unstable[a];
      for (const int32_t neuron : unstable[a]) {
        const auto at = std::lower_bound(theirs.begin(), theirs.end(), neuron);
        const bool found = at != theirs.end() && *at == neuron;
        known_.push_back(found ? before + static_cast<int32_t>(at - theirs.begin()) : -1);
      }
      before += static_cast<int32_t>(theirs.size());
    }
  }
  if (keep_ == nullptr) return;
  *keep_ = {};
  int64_t bytes = 0;
  for (size_t a = 0; a < unstable.size(); ++a)
    bytes += 2 * static_cast<int64_t>(unstable[a].size()) * network_.first(static_cast<int>(a));
  if (bytes > kMostRefineMemory) return;
  keep_->sides = sides_;
  keep_->unstable = unstable;
  keep_->rows.resize(unstable.size());
}

std::vector<RowStart> RowStarts::Known(int activation) const {
  std::vector<RowStart> starts(2 * network_.unstable(activation).size());
  if (known_.empty()) return starts;
  const auto a = static_cast<size_t>(activation);
  const RefineMemory& memory = *from_;
  int32_t before = 0;  // neurons of earlier layers, as the memory numbers them
  for (size_t b = 0; b < a; ++b) before += static_cast<int32_t>(memory.unstable[b].size());
  const auto first = static_cast<size_t>(network_.first(activation));
#pragma omp parallel for
  for (size_t r = 0; r < starts.size(); ++r) {
    const int32_t own = known_[first + r / 2];
    if (own < 0) continue;
    const RowStart& from = memory.rows[a][static_cast<size_t>(2 * (own - before)) + r % 2];
    if (from.slopes.empty()) continue;
    starts[r].slopes.assign(first, uint8_t{128});
    for (size_t j = 0; j < first; ++j) {
      if (known_[j] >= 0) starts[r].slopes[j] = from.slopes[static_cast<size_t>(known_[j])];
    }
    for (const NeuronSide& side : sides_) {
      float beta = 0;
      for (size_t k = 0; k < memory.sides.size(); ++k) {
        const NeuronSide& known = memory.sides[k];
        if (known.activation == side.activation && known.neuron == side.neuron) beta = from.betas[k];
      }
      starts[r].betas.push_back(beta);
    }
  }
  return starts;
}

std::vector<RowStart> RowStarts::Ended(int activation, const std::vector<CompactDomain>& rows) const {
  std::vector<RowStart> ended(rows.size());
  const std::vector<int32_t> numbers = NumbersOf(activation);
#pragma omp parallel for
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!rows[r].slopes.empty()) ended[r].slopes.resize(numbers.size());
    for (size_t j = 0; j < ended[r].slopes.size(); ++j)
      ended[r].slopes[j] = rows[r].slopes[static_cast<size_t>(numbers[j])];
    auto split = rows[r].splits.begin();
    for (const NeuronSide& side : sides_)
      ended[r].betas.push_back(NumberBefore(activation, side) < 0 ? 0.0f : (split++)->beta);
  }
  return ended;
}

// Of the neurons before the layer, on the device.
std::vector<int32_t> RowStarts::NumbersOf(int activation) const {
  std::vector<int32_t> numbers(static_cast<size_t>(network_.first(activation)));
  for (size_t j = 0; j < numbers.size(); ++j) numbers[j] = network_.Number(static_cast<int32_t>(j));
  return numbers;
}

void RowStarts::Begin(int activation, const std::vector<RowStart>& starts, std::vector<CompactDomain>& rows,
                      std::vector<std::vector<uint8_t>>& bytes) const {
  bytes.assign(rows.size(), {});
  const auto all = static_cast<size_t>(network_.NumbersBefore(activation));
  const std::vector<int32_t> numbers = NumbersOf(activation);
#pragma omp parallel for
  for (size_t r = 0; r < rows.size(); ++r) {
    if (starts[r].slopes.empty()) continue;
    bytes[r].assign(all, uint8_t{128});
    for (size_t j = 0; j < numbers.size(); ++j)
      bytes[r][static_cast<size_t>(numbers[j])] = starts[r].slopes[j];
    rows[r].start = bytes[r];
    auto split = rows[r].splits.begin();
    for (size_t k = 0; k < sides_.size(); ++k) {
      if (NumberBefore(activation, sides_[k]) >= 0) (split++)->beta = starts[r].betas[k];
    }
  }
}

void RowStarts::Keep(int activation, std::vector<RowStart> rows) const {
  if (!keep_->rows.empty()) keep_->rows[static_cast<size_t>(activation)] = std::move(rows);
}

}  // namespace espalier::bounds
