// Rows of an inner stage in a tile, together with their neighbours: cpu_compact_reach.h.
#include <algorithm>

#include "verifier/backend/cpu_compact_tile.h"

namespace espalier::backend {

namespace {

// The least value of normal·x over the inputs that are not touched.
double LeastOutside(const CompactProgram& program, const std::vector<float>& normal,
                    const std::vector<uint8_t>& touched) {
  double sum = 0;
  for (size_t i = 0; i < normal.size(); ++i) {
    if (touched[i] != 0) continue;
    sum += static_cast<double>(normal[i]) *
           static_cast<double>(normal[i] >= 0 ? program.lower[i] : program.upper[i]);
  }
  return sum;
}

}  // namespace

ConeTips TipsOf(const CompactProgram& program, const CompactSettings& settings,
                absl::Span<const CompactDomain> domains) {
  const int32_t first = program.network.stages[static_cast<size_t>(settings.start_stage)].begin;
  ConeTips tips;
  for (const CompactDomain& domain : domains) {
    ForStart(domain, [&](int32_t row, float) { tips.rows.push_back(first + row); });
    for (const CompactSplit& split : domain.splits) tips.neurons.push_back(split.neuron);
  }
  return tips;
}

void CompactTile::RunCones(CompactQueue& queue, const StopToken& stop) {
  std::fill_n(slots_.data(), program_->network.stages[start_].begin * lanes_, 0.0f);
  touched_.clear();
  while (!stop.StopRequested() && LoadCone(queue)) {
    while (!stop.StopRequested() && Step()) fresh_.clear();
  }
}

// The next rows, and what they are made of.
bool CompactTile::LoadCone(CompactQueue& queue) {
  const absl::Span<CompactDomain> rows = queue.NextDomains(lanes_);
  if (rows.empty()) return false;
  fresh_.clear();
  for (size_t r = 0; r < rows.size(); ++r) {
    Load(static_cast<int64_t>(r), {&rows[r], &rows[r], nullptr});
    fresh_.push_back(static_cast<int32_t>(r));
  }
  ClearTouched();
  MakeCone(*program_, settings_.start_stage, TipsOf(*program_, settings_, rows), touched_, cone_);
  reach_ = &cone_;
  mean_values_.clear();  // of others they are zero
  mean_coefficients_.clear();
  // Others' scores are those of their last pass, which there is none of.
  if (settings_.candidates > 0) std::fill_n(saved_.data(), learning_ * lanes_, 0.0f);
  if (settings_.half_space != nullptr) {
    outside_ = LeastOutside(*program_, settings_.half_space->normal, touched_);
  }
  LoadSlopes();
  LoadSplits();
  return true;
}

// Of the cone before.
void CompactTile::ClearTouched() {
  const auto end = touched_.end();
  for (auto begin = std::find(touched_.begin(), end, 1); begin != end;) {
    const auto stop = std::find(begin, end, 0);
    std::fill_n(Slot(static_cast<int32_t>(begin - touched_.begin())), (stop - begin) * lanes_, 0.0f);
    begin = std::find(stop, end, 1);
  }
}

}  // namespace espalier::backend
