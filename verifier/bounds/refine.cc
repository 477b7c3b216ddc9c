#include "verifier/bounds/refine.h"

#include <algorithm>
#include <memory>

#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/in_blocks.h"
#include "verifier/bounds/row_bounder.h"

namespace espalier::bounds {
namespace {

using backend::CompactDomain;

// Share of its interval's width that a neuron's bound has to gain.
constexpr double kWorthwhile = 1e-4;

class Refinement {
 public:
  Refinement(const Plan& plan, const RefineSettings& settings, StopToken stop, DomainBounds& bounds)
      : plan_(plan), settings_(settings), stop_(stop), bounds_(bounds) {
    if (settings.inside != nullptr) half_space_ = ToCompact(*settings.inside);
  }
  absl::Status Run();

 private:
  absl::Status Layer(int activation);
  // Rows (two per neuron) of the layer, and what their optimisation started from and gave.
  std::vector<CompactDomain> Rows(int activation) const;
  absl::Status Certify(int activation, const std::vector<CompactDomain>& rows, size_t begin, size_t end);
  absl::StatusOr<Slopes<float>> SlopesOf(const std::vector<CompactDomain>& rows,
                                         const std::vector<size_t>& chosen) const;
  RowSides SidesOf(int activation, const std::vector<CompactDomain>& rows,
                   const std::vector<size_t>& chosen) const;
  // The number of a side's neuron among all unstable ones; -1: it has none, or rows of the layer do not meet
  // it.
  int32_t NumberBefore(int activation, const NeuronSide& side) const;
  void NoteShares(int activation, const std::vector<CompactDomain>& rows, size_t begin, size_t end);
  // Has the rows begin where those of settings.start have ended; `starts` is what they refer to.
  void TakeStarts(int activation, std::vector<CompactDomain>& rows,
                  std::vector<std::vector<uint8_t>>& starts) const;
  void Number();
  void Keep(int activation, std::vector<CompactDomain>& rows) const;
  void SetLines(int activation);
  const std::vector<int32_t>& Unstable(int activation) const {
    return unstable_[static_cast<size_t>(activation)];
  }

  const Plan& plan_;
  const RefineSettings& settings_;
  StopToken stop_;
  DomainBounds& bounds_;
  backend::CompactHalfSpace half_space_;
  // Unstable neurons as the compact network numbers them: those of the bounds that came in.
  std::vector<std::vector<int32_t>> unstable_;
  std::vector<int32_t> first_;  // per activation: number of its first one
  std::vector<int32_t> stage_;  // per activation: its stage
  std::vector<int32_t> known_;  // per unstable neuron: its number in settings.start
  std::vector<backend::CompactStage> stages_;
  Relaxation<double> relaxation_;  // tightened from the front
  std::unique_ptr<backend::CompactBounder> bounder_;
};

absl::Status Refinement::Run() {
  ESPALIER_ASSIGN_OR_RETURN(relaxation_, Relaxation<double>::Make(plan_, bounds_.layers, 1));
  const std::optional<LeftNetwork> left =
      MakeLeftNetwork(plan_, bounds_.boxes, bounds_.layers, relaxation_, settings_.from);
  if (!left.has_value()) return absl::UnimplementedError("the network is too large to be listed");
  unstable_ = left->unstable;
  first_ = {0};
  for (size_t a = 0; a < bounds_.layers.size(); ++a) {
    first_.push_back(first_.back() + static_cast<int32_t>(unstable_[a].size()));
  }
  stages_ = backend::WithoutRows(left->network).stages;
  stage_.assign(bounds_.layers.size(), -1);
  for (size_t s = 0; s < stages_.size(); ++s) {
    if (stages_[s].source.empty()) continue;
    const auto layer =
        std::upper_bound(first_.begin(), first_.end(), stages_[s].first_unstable) - first_.begin() - 1;
    stage_[static_cast<size_t>(layer)] = static_cast<int32_t>(s);
  }
  ESPALIER_ASSIGN_OR_RETURN(bounder_, plan_.backend().MakeCompact(left->network));
  Number();
  for (size_t a = 0; a < bounds_.layers.size(); ++a) {
    if (stop_.StopRequested()) return absl::OkStatus();
    if (stage_[a] >= 0) ESPALIER_RETURN_IF_ERROR(Layer(static_cast<int>(a)));
    if (!bounds_.empty.empty()) return absl::OkStatus();
    ESPALIER_RETURN_IF_ERROR(relaxation_.AddLayer(plan_, static_cast<int>(a), bounds_.layers[a]));
    if (stage_[a] >= 0) SetLines(static_cast<int>(a));
  }
  return absl::OkStatus();
}

int32_t Refinement::NumberBefore(int activation, const NeuronSide& side) const {
  if (side.activation >= activation) return -1;
  const std::vector<int32_t>& unstable = Unstable(side.activation);
  const auto found = std::lower_bound(unstable.begin(), unstable.end(), side.neuron);
  if (found == unstable.end() || *found != side.neuron) return -1;
  return first_[static_cast<size_t>(side.activation)] + static_cast<int32_t>(found - unstable.begin());
}

std::vector<CompactDomain> Refinement::Rows(int activation) const {
  const backend::CompactStage& stage = stages_[static_cast<size_t>(stage_[static_cast<size_t>(activation)])];
  const backend::CompactStage& source = stages_[static_cast<size_t>(stage.source_stage)];
  std::vector<backend::CompactSplit> splits;
  for (const NeuronSide& side : settings_.sides) {
    const int32_t number = NumberBefore(activation, side);
    if (number >= 0) splits.push_back({number, static_cast<float>(side.sign), 0.0f});
  }
  std::vector<CompactDomain> rows;
  for (int32_t slot : stage.source) {
    for (float sign : {1.0f, -1.0f}) {
      CompactDomain row;
      row.unit = slot - source.begin;
      row.sign = sign;
      row.splits = splits;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

absl::Status Refinement::Layer(int activation) {
  const backend::CompactStage& stage = stages_[static_cast<size_t>(stage_[static_cast<size_t>(activation)])];
  std::vector<CompactDomain> rows = Rows(activation);
  std::vector<std::vector<uint8_t>> starts(rows.size());
  if (!known_.empty()) TakeStarts(activation, rows, starts);
  if (activation < settings_.first) {
    for (size_t r = 0; r < rows.size(); ++r) rows[r].slopes = std::move(starts[r]);
    if (settings_.keep != nullptr) Keep(activation, rows);
    return absl::OkStatus();
  }
  backend::CompactSettings wanted;
  wanted.iterations = settings_.iterations;
  wanted.exact_slopes = true;
  wanted.slopes = settings_.keep != nullptr;
  wanted.start_stage = stage.source_stage;
  if (settings_.shares != nullptr) wanted.candidates = settings_.parts;
  if (settings_.inside != nullptr) wanted.half_space = &half_space_;
  const auto block = static_cast<size_t>(std::max<int64_t>(RowsPerBlock(plan_), 64));
  for (size_t begin = 0; begin < rows.size() && !stop_.StopRequested(); begin += block) {
    const size_t end = std::min(begin + block, rows.size());
    ESPALIER_RETURN_IF_ERROR(bounder_->Bound(absl::MakeSpan(rows).subspan(begin, end - begin), wanted));
    const auto certify = [&](int64_t from, int64_t to) {
      return Certify(activation, rows, begin + static_cast<size_t>(from), begin + static_cast<size_t>(to));
    };
    const auto count = static_cast<int64_t>(end - begin);
    ESPALIER_RETURN_IF_ERROR(InBlocks(plan_.backend(), count, count, stop_, certify));
    if (settings_.shares != nullptr) NoteShares(activation, rows, begin, end);
    for (size_t r = begin; r < end; ++r) rows[r].exact_slopes = {};
  }
  if (settings_.keep != nullptr) Keep(activation, rows);
  return absl::OkStatus();
}

// Prepares the memories: how the one that is given numbers this refinement's neurons, and how the new one
// does.
void Refinement::Number() {
  const RefineMemory* start = settings_.start;
  if (start != nullptr && !start->empty()) {
    int32_t before = 0;
    for (size_t a = 0; a < unstable_.size(); ++a) {
      const std::vector<int32_t>& theirs = start->unstable[a];
      for (const int32_t neuron : unstable_[a]) {
        const auto at = std::lower_bound(theirs.begin(), theirs.end(), neuron);
        const bool found = at != theirs.end() && *at == neuron;
        known_.push_back(found ? before + static_cast<int32_t>(at - theirs.begin()) : -1);
      }
      before += static_cast<int32_t>(theirs.size());
    }
  }
  if (settings_.keep == nullptr) return;
  *settings_.keep = {};
  int64_t bytes = 0;
  for (size_t a = 0; a < unstable_.size(); ++a)
    bytes += 2 * static_cast<int64_t>(unstable_[a].size()) * first_[a];
  if (bytes > kMostRefineMemory) return;
  settings_.keep->sides = settings_.sides;
  settings_.keep->unstable = unstable_;
  settings_.keep->rows.resize(unstable_.size());
}

void Refinement::TakeStarts(int activation, std::vector<CompactDomain>& rows,
                            std::vector<std::vector<uint8_t>>& starts) const {
  const auto a = static_cast<size_t>(activation);
  const RefineMemory& start = *settings_.start;
  int32_t before = 0;  // neurons of earlier layers, as the memory numbers them
  for (size_t b = 0; b < a; ++b) before += static_cast<int32_t>(start.unstable[b].size());
  for (size_t r = 0; r < rows.size(); ++r) {
    const int32_t own = known_[static_cast<size_t>(first_[a]) + r / 2];
    if (own < 0) continue;
    const RefineMemory::Row& from = start.rows[a][static_cast<size_t>(2 * (own - before)) + r % 2];
    if (from.slopes.empty()) continue;
    starts[r].resize(static_cast<size_t>(first_[a]));
    for (size_t j = 0; j < starts[r].size(); ++j) {
      const int32_t number = known_[j];
      starts[r][j] = number < 0 ? uint8_t{128} : from.slopes[static_cast<size_t>(number)];
    }
    rows[r].start = starts[r];
    auto split = rows[r].splits.begin();
    for (const NeuronSide& side : settings_.sides) {
      if (NumberBefore(activation, side) < 0) continue;
      for (size_t k = 0; k < start.sides.size(); ++k) {
        const NeuronSide& known = start.sides[k];
        if (known.activation == side.activation && known.neuron == side.neuron) split->beta = from.betas[k];
      }
      ++split;
    }
  }
}

void Refinement::Keep(int activation, std::vector<CompactDomain>& rows) const {
  if (settings_.keep->rows.empty()) return;
  std::vector<RefineMemory::Row>& kept = settings_.keep->rows[static_cast<size_t>(activation)];
  for (CompactDomain& row : rows) {
    RefineMemory::Row& own = kept.emplace_back();
    own.slopes = std::move(row.slopes);
    auto split = row.splits.begin();
    for (const NeuronSide& side : settings_.sides)
      own.betas.push_back(NumberBefore(activation, side) < 0 ? 0.0f : (split++)->beta);
  }
}

// The slopes of the chosen rows for the neurons that are still unstable in the tightened relaxation.
absl::StatusOr<Slopes<float>> Refinement::SlopesOf(const std::vector<CompactDomain>& rows,
                                                   const std::vector<size_t>& chosen) const {
  Slopes<float> slopes;
  slopes.best.resize(bounds_.layers.size());
  const size_t known = rows[chosen[0]].exact_slopes.size();
  for (size_t a = 0; a < bounds_.layers.size() && static_cast<size_t>(first_[a]) < known; ++a) {
    const std::vector<int32_t>& now = relaxation_.unstable(static_cast<int>(a));
    std::vector<size_t> number;  // of those still unstable
    for (size_t j = 0, k = 0; j < unstable_[a].size(); ++j) {
      if (k < now.size() && now[k] == unstable_[a][j])
        number.push_back(static_cast<size_t>(first_[a]) + j), ++k;
    }
    std::vector<float> values;
    values.reserve(number.size() * chosen.size());
    for (size_t r : chosen) {
      for (size_t k : number) values.push_back(rows[r].exact_slopes[k]);
    }
    // On its side a neuron is linear: the free line is that line, whatever was learned.
    for (const NeuronSide& side : settings_.sides) {
      if (side.activation != static_cast<int32_t>(a)) continue;
      const auto at = std::lower_bound(now.begin(), now.end(), side.neuron);
      if (at == now.end() || *at != side.neuron) continue;
      const ir::HingeLayer& hinge = plan_.hinge(side.activation);
      const auto i = static_cast<size_t>(side.neuron), k = static_cast<size_t>(at - now.begin());
      const auto slope = static_cast<float>(side.sign > 0 ? hinge.right[i] : hinge.left[i]);
      for (size_t r = 0; r < chosen.size(); ++r) values[r * number.size() + k] = slope;
    }
    ESPALIER_ASSIGN_OR_RETURN(slopes.best[a], ToDevice<float>(plan_.backend(), values));
  }
  return slopes;
}

// The sides that the rows meet, with each chosen row's best multipliers.
RowSides Refinement::SidesOf(int activation, const std::vector<CompactDomain>& rows,
                             const std::vector<size_t>& chosen) const {
  RowSides sides;
  for (const NeuronSide& side : settings_.sides) {
    if (NumberBefore(activation, side) < 0) continue;
    sides.activation.push_back(side.activation);
    sides.neuron.push_back(side.neuron);
    sides.sign.push_back(side.sign);
  }
  for (size_t r : chosen) {
    for (const backend::CompactSplit& split : rows[r].splits) sides.beta.push_back(split.beta);
  }
  return sides;
}

absl::Status Refinement::Certify(int activation, const std::vector<CompactDomain>& rows, size_t begin,
                                 size_t end) {
  LayerBox& box = bounds_.layers[static_cast<size_t>(activation)];
  HostRows certified;
  certified.start = plan_.node(plan_.activations()[static_cast<size_t>(activation)]).predecessor;
  std::vector<size_t> chosen;
  for (size_t r = begin; r < end; ++r) {
    const auto i = static_cast<size_t>(Unstable(activation)[r / 2]);
    const double known = r % 2 == 0 ? box.lower[i] : -box.upper[i];
    // A float64 pass for a bound that hardly moved is not worth its time.
    if (!(rows[r].bound > known + kWorthwhile * (box.upper[i] - box.lower[i]))) continue;
    chosen.push_back(r);
    certified.domain.push_back(0);
    certified.neuron.push_back(static_cast<int32_t>(i));
    certified.sign.push_back(static_cast<double>(rows[r].sign));
  }
  if (chosen.empty()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(const Slopes<float> slopes, SlopesOf(rows, chosen));
  const Scope scope{&plan_, &bounds_.boxes, nullptr, &relaxation_, &bounds_.magnitudes};
  const RowSides sides = SidesOf(activation, rows, chosen);
  RowDetails details;
  ESPALIER_ASSIGN_OR_RETURN(
      const std::vector<double> lower,
      CertifiedBounds(scope, certified, &slopes, settings_.inside ? &details : nullptr, &sides));
  const auto inputs = static_cast<size_t>(plan_.node(0).size);
  for (size_t k = 0; k < lower.size(); ++k) {
    double bound = lower[k];
    if (settings_.inside != nullptr) {
      bound =
          BoundInside(*settings_.inside,
                      {bound, details.input_lambda.data() + k * inputs, details.corner.data() + k * inputs},
                      bounds_.boxes);
    }
    const auto i = static_cast<size_t>(certified.neuron[k]);
    if (certified.sign[k] > 0) {
      if (bound > box.lower[i]) box.lower[i] = bound;
    } else if (-bound < box.upper[i]) {
      box.upper[i] = -bound;
    }
    if (box.lower[i] > box.upper[i]) bounds_.empty = {true};
  }
  return absl::OkStatus();
}

void Refinement::NoteShares(int activation, const std::vector<CompactDomain>& rows, size_t begin,
                            size_t end) {
  for (size_t r = begin; r < end; ++r) {
    if (rows[r].candidates.empty()) continue;
    BoundShare share;
    share.activation = activation;
    share.neuron = Unstable(activation)[r / 2];
    share.upper = rows[r].sign < 0;
    for (const auto& [number, score] : rows[r].candidates) {
      const auto layer = std::upper_bound(first_.begin(), first_.end(), number) - first_.begin() - 1;
      const auto a = static_cast<size_t>(layer);
      share.parts.push_back(
          {static_cast<int32_t>(layer), unstable_[a][static_cast<size_t>(number - first_[a])], score});
    }
    settings_.shares->push_back(std::move(share));
  }
}

void Refinement::SetLines(int activation) {
  backend::CompactLines lines;
  for (int32_t i : Unstable(activation)) {
    AppendCompactLine(plan_.hinge(activation), bounds_.layers[static_cast<size_t>(activation)],
                      static_cast<size_t>(i), lines);
  }
  bounder_->SetLines(first_[static_cast<size_t>(activation)], lines);
}

}  // namespace

bool TakeSide(const NeuronSide& side, std::vector<LayerBox>& layers) {
  LayerBox& box = layers[static_cast<size_t>(side.activation)];
  double& lower = box.lower[static_cast<size_t>(side.neuron)];
  double& upper = box.upper[static_cast<size_t>(side.neuron)];
  if (side.sign > 0 && lower < -kSideMargin) lower = -kSideMargin;
  if (side.sign < 0 && upper > kSideMargin) upper = kSideMargin;
  return !(side.sign > 0 ? upper < 0 : lower > 0);
}

absl::Status RefineBounds(const Plan& plan, const RefineSettings& settings, StopToken stop,
                          DomainBounds& bounds) {
  const absl::Status refined = Refinement(plan, settings, stop, bounds).Run();
  if (!absl::IsResourceExhausted(refined)) return refined;
  if (!bounds.empty.empty()) return absl::OkStatus();  // what else there was to tighten does not matter
  plan.backend().NoteShortage(kListingRefused);
  return refined;
}

absl::StatusOr<DomainBounds> OptimiseBounds(const Plan& plan, const IntermediateSettings& settings,
                                            StopToken stop, DomainBounds from) {
  const absl::Status refined = RefineBounds(plan, {.iterations = settings.iterations}, stop, from);
  if (DoWithout(refined)) return ComputeIntermediate(plan, from.boxes, settings, stop);
  ESPALIER_RETURN_IF_ERROR(refined);
  return from;
}

}  // namespace espalier::bounds
