#include "verifier/bounds/refine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/compact.h"
#include "verifier/bounds/in_blocks.h"
#include "verifier/bounds/row_bounder.h"
#include "verifier/bounds/row_network.h"
#include "verifier/bounds/row_splits.h"
#include "verifier/bounds/row_starts.h"
#include "verifier/bounds/whole_rows.h"

namespace espalier::bounds {
namespace {

using backend::CompactDomain;

// Share of its interval's width that a neuron's bound has to gain.
constexpr double kWorthwhile = 1e-4;
// Steps that show where planes shall be low, and steps with the planes, which begin where the first ended.
constexpr int64_t kFindingSteps = 6, kStepsWithCuts = 4;
// Points of rows that are kept at once: 8 MB. Their memory serves the next ones.
constexpr int64_t kMostPoints = int64_t{1} << 21;
// Rows for each thread that are split at once: their leaves fill its tiles, and few of them its memory.
constexpr int64_t kSplitsPerThread = 128;

// Rows, or the leaves that they were split into.
using Pieces = RowLeaves;

Pieces WholePieces(absl::Span<CompactDomain> rows) {
  Pieces pieces;
  for (size_t r = 0; r < rows.size(); ++r) {
    CompactDomain& piece = pieces.leaves.emplace_back();
    piece.unit = rows[r].unit;
    piece.sign = rows[r].sign;
    piece.splits = rows[r].splits;
    piece.bound = rows[r].bound;
    piece.exact_slopes = std::move(rows[r].exact_slopes);
    pieces.row.push_back(r);
  }
  return pieces;
}

// Row by row the least value of its pieces; what is no number is less than all others.
template <class Value>
std::vector<double> LeastOfRows(const Pieces& pieces, Value value) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> least(pieces.row.empty() ? 0 : pieces.row.back() + 1, kInfinity);
  for (size_t p = 0; p < pieces.row.size(); ++p) {
    const double own = value(p);
    double& row = least[pieces.row[p]];
    row = std::min(row, own > -kInfinity ? own : -kInfinity);
  }
  return least;
}

class Refinement {
 public:
  Refinement(const Plan& plan, const RefineSettings& settings, StopToken stop, DomainBounds& bounds)
      : plan_(plan),
        settings_(settings),
        stop_(stop),
        bounds_(bounds),
        network_(plan),
        starts_(network_, settings.sides, settings.start, settings.keep) {
    if (settings.inside != nullptr) half_space_ = ToCompact(*settings.inside);
  }
  absl::Status Run();

 private:
  absl::Status Layer(int activation);
  // Rows (two per neuron) of the layer, and what their optimisation started from and gave.
  std::vector<CompactDomain> Rows(int activation) const;
  absl::Status BoundAndCertify(int activation, int64_t steps, std::vector<CompactDomain>& rows);
  // Bounds the rows once to see where cuts shall be low, and gives cuts to the neurons before them. Where the
  // rows have ended.
  absl::StatusOr<std::vector<RowStart>> FindCuts(int activation, std::vector<RowStart> starts);
  void AddPoints(int activation, const std::vector<CompactDomain>& rows, size_t begin, size_t end);
  backend::CompactSettings Wanted(int activation, int64_t steps) const;
  bool Splits(int activation) const;
  std::vector<int64_t> RoundsOf(int activation) const;  // of splits, for each of its rows
  // Certifies the pieces of the layer's rows from `begin` on that are worth it, and takes the rows' bounds.
  absl::Status Certify(int activation, const Pieces& pieces, size_t begin);
  absl::StatusOr<std::vector<double>> CertifyPieces(int activation, const std::vector<CompactDomain>& pieces,
                                                    const std::vector<size_t>& chosen);
  absl::StatusOr<std::vector<double>> CertifyLeft(int activation, const std::vector<CompactDomain>& pieces,
                                                  const std::vector<size_t>& chosen, RowDetails* details);
  void TakeBound(int activation, size_t row, double lower);
  void NoteShares(int activation, const std::vector<CompactDomain>& rows, size_t begin, size_t end);
  const std::vector<int32_t>& Unstable(int activation) const { return network_.unstable(activation); }

  const Plan& plan_;
  const RefineSettings& settings_;
  StopToken stop_;
  DomainBounds& bounds_;
  backend::CompactHalfSpace half_space_;
  // Unstable neurons are those of the bounds that came in.
  RowNetwork network_;
  RowStarts starts_;
  std::optional<PointSums> sums_;   // when cuts are to be found
  std::optional<WholeRows> whole_;  // certifies where the device has no certifier
};

absl::Status Refinement::Run() {
  ESPALIER_ASSIGN_OR_RETURN(const Relaxation<double> relaxation,
                            Relaxation<double>::Make(plan_, bounds_.layers, 1));
  std::optional<LeftNetwork> left =
      MakeLeftNetwork(plan_, bounds_.boxes, bounds_.layers, relaxation, settings_.from);
  if (!left.has_value()) return absl::UnimplementedError("the network is too large to be listed");
  network_.Take(*std::move(left));
  starts_.Number();
  if (settings_.found_points != nullptr) sums_.emplace(network_.network());
  for (int a = 0; a < static_cast<int>(bounds_.layers.size()); ++a) {
    if (stop_.StopRequested()) return absl::OkStatus();
    if (network_.HasRows(a)) ESPALIER_RETURN_IF_ERROR(Layer(a));
    if (!bounds_.empty.empty()) return absl::OkStatus();
    const LayerBox& box = bounds_.layers[static_cast<size_t>(a)];
    if (whole_.has_value()) ESPALIER_RETURN_IF_ERROR(whole_->AddLayer(a, box));
    if (network_.HasRows(a)) network_.SetLines(a, box);
  }
  // Where no plane was low enough, none will be in parts, as a rule.
  if (sums_.has_value()) {
    *settings_.found_points = sums_->Means([&](size_t u) { return network_.HasCut(u); });
  }
  return absl::OkStatus();
}

std::vector<CompactDomain> Refinement::Rows(int activation) const {
  std::vector<backend::CompactSplit> splits;
  for (const NeuronSide& side : settings_.sides) {
    const int32_t unstable = starts_.NumberBefore(activation, side);
    if (unstable >= 0) splits.push_back({network_.Number(unstable), static_cast<float>(side.sign), 0.0f});
  }
  std::vector<CompactDomain> rows;
  for (size_t j = 0; j < Unstable(activation).size(); ++j) {
    for (float sign : {1.0f, -1.0f}) {
      CompactDomain row;
      row.unit = network_.RowOf(activation, j);
      row.sign = sign;
      row.splits = splits;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

backend::CompactSettings Refinement::Wanted(int activation, int64_t steps) const {
  backend::CompactSettings wanted;
  wanted.iterations = steps;
  wanted.start_stage = network_.StartStage(activation);
  if (settings_.inside != nullptr) wanted.half_space = &half_space_;
  return wanted;
}

absl::Status Refinement::Layer(int activation) {
  std::vector<RowStart> starts = starts_.Known(activation);
  if (activation < settings_.first) {
    if (settings_.keep != nullptr) starts_.Keep(activation, std::move(starts));
    return absl::OkStatus();
  }
  const bool behind_others = network_.first(activation) > 0;
  if (settings_.points != nullptr && behind_others) {
    ESPALIER_RETURN_IF_ERROR(network_.AddCuts(activation, *settings_.points, bounds_.layers, /*anew=*/false));
  }
  ESPALIER_RETURN_IF_ERROR(network_.List());
  if (network_.certifier() == nullptr && !whole_.has_value()) {
    ESPALIER_ASSIGN_OR_RETURN(whole_, WholeRows::Make(plan_, bounds_.layers, network_));
  }
  int64_t steps = settings_.iterations;
  if (sums_.has_value() && behind_others && network_.certifier() != nullptr) {
    ESPALIER_ASSIGN_OR_RETURN(starts, FindCuts(activation, std::move(starts)));
    steps = std::min(steps, kStepsWithCuts);
  }
  std::vector<CompactDomain> rows = Rows(activation);
  std::vector<std::vector<uint8_t>> bytes;
  starts_.Begin(activation, starts, rows, bytes);
  ESPALIER_RETURN_IF_ERROR(BoundAndCertify(activation, steps, rows));
  if (settings_.keep != nullptr) starts_.Keep(activation, starts_.Ended(activation, rows));
  return absl::OkStatus();
}

bool Refinement::Splits(int activation) const {
  return settings_.splits.rounds > 0 && network_.first(activation) > 0 && !whole_.has_value();
}

std::vector<int64_t> Refinement::RoundsOf(int activation) const {
  const RowSplits& splits = settings_.splits;
  std::vector<int64_t> rounds(2 * Unstable(activation).size(), splits.rounds);
  if (splits.gains == nullptr) return rounds;
  const auto a = static_cast<size_t>(activation);
  const std::vector<bool> worthy =
      RowsWorthSplitting((*splits.gains)[a], bounds_.layers[a], Unstable(activation));
  for (size_t r = 0; r < rounds.size(); ++r) {
    if (!worthy[r]) rounds[r] = std::min<int64_t>(rounds[r], 1);
  }
  return rounds;
}

absl::Status Refinement::BoundAndCertify(int activation, int64_t steps, std::vector<CompactDomain>& rows) {
  const bool splits = Splits(activation);
  backend::CompactSettings wanted = Wanted(activation, steps);
  wanted.exact_slopes = true;
  wanted.slopes = splits || settings_.keep != nullptr;
  if (splits) wanted.candidates = kSplitCandidates;
  if (settings_.shares != nullptr) wanted.candidates = settings_.parts;
  int64_t most = std::max<int64_t>(RowsPerBlock(plan_), 64);
  if (splits) {
    most = std::min({most, kSplitsPerThread * plan_.backend().threads(),
                     RowsToSplitAtOnce(network_.NumbersBefore(activation), settings_.splits)});
  }
  const std::vector<int64_t> rounds = RoundsOf(activation);
  const auto block = static_cast<size_t>(most);
  for (size_t begin = 0; begin < rows.size() && !stop_.StopRequested(); begin += block) {
    const auto some = absl::MakeSpan(rows).subspan(begin, block);
    ESPALIER_RETURN_IF_ERROR(network_.bounder().Bound(some, wanted));
    if (settings_.shares != nullptr) NoteShares(activation, rows, begin, begin + some.size());
    Pieces pieces;
    if (splits) {
      RowSplitter splitter(network_, wanted, settings_.splits.iterations);
      ESPALIER_ASSIGN_OR_RETURN(
          pieces, splitter.Split(some, absl::MakeConstSpan(rounds).subspan(begin, some.size())));
    } else {
      pieces = WholePieces(some);
    }
    ESPALIER_RETURN_IF_ERROR(Certify(activation, pieces, begin));
    for (CompactDomain& row : some) row.exact_slopes = {};
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RowStart>> Refinement::FindCuts(int activation, std::vector<RowStart> starts) {
  std::vector<CompactDomain> rows = Rows(activation);
  std::vector<std::vector<uint8_t>> bytes;
  starts_.Begin(activation, starts, rows, bytes);
  backend::CompactSettings wanted = Wanted(activation, std::min(settings_.iterations, kFindingSteps));
  wanted.slopes = wanted.points = true;
  const int64_t slots = std::max<int64_t>(network_.network().slots, 1);
  const auto block = static_cast<size_t>(std::clamp<int64_t>(kMostPoints / slots, 64, RowsPerBlock(plan_)));
  for (size_t begin = 0; begin < rows.size() && !stop_.StopRequested(); begin += block) {
    const size_t end = std::min(begin + block, rows.size());
    for (size_t r = begin; r < end && begin > 0; ++r) {
      rows[r].point.swap(rows[r - block].point);
      rows[r].coefficients.swap(rows[r - block].coefficients);
    }
    ESPALIER_RETURN_IF_ERROR(
        network_.bounder().Bound(absl::MakeSpan(rows).subspan(begin, end - begin), wanted));
    AddPoints(activation, rows, begin, end);
  }
  starts = starts_.Ended(activation, rows);
  ESPALIER_RETURN_IF_ERROR(
      network_.AddCuts(activation, sums_->Means([](size_t) { return true; }), bounds_.layers, /*anew=*/true));
  return starts;
}

// What a chord costs the row's interval, in units of its width.
void Refinement::AddPoints(int activation, const std::vector<CompactDomain>& rows, size_t begin, size_t end) {
  const LayerBox& box = bounds_.layers[static_cast<size_t>(activation)];
  std::vector<double> weights;
  for (size_t r = begin; r < end; ++r) {
    const auto i = static_cast<size_t>(Unstable(activation)[r / 2]);
    weights.push_back(1.0 / std::max(box.upper[i] - box.lower[i], 1e-30));
  }
  sums_->Add({absl::MakeConstSpan(rows).subspan(begin, end - begin), weights, network_.slot_of(),
              network_.neuron_of()});
}

absl::Status Refinement::Certify(int activation, const Pieces& pieces, size_t begin) {
  const LayerBox& box = bounds_.layers[static_cast<size_t>(activation)];
  const std::vector<double> promised = LeastOfRows(pieces, [&](size_t p) { return pieces.leaves[p].bound; });
  std::vector<size_t> chosen;
  for (size_t p = 0; p < pieces.leaves.size(); ++p) {
    const size_t r = begin + pieces.row[p];
    const auto i = static_cast<size_t>(Unstable(activation)[r / 2]);
    const double known = r % 2 == 0 ? box.lower[i] : -box.upper[i];
    // A float64 pass for a bound that hardly moved is not worth its time.
    if (promised[pieces.row[p]] > known + kWorthwhile * (box.upper[i] - box.lower[i])) chosen.push_back(p);
  }
  // Minus infinity: not certified.
  std::vector<double> lower(pieces.leaves.size(), -std::numeric_limits<double>::infinity());
  const auto some = [&](int64_t from, int64_t to) -> absl::Status {
    const std::vector<size_t> now(chosen.begin() + from, chosen.begin() + to);
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> own, CertifyPieces(activation, pieces.leaves, now));
    for (size_t k = 0; k < now.size(); ++k) lower[now[k]] = own[k];
    return absl::OkStatus();
  };
  ESPALIER_RETURN_IF_ERROR(InBlocks(plan_.backend(), static_cast<int64_t>(chosen.size()),
                                    std::max<int64_t>(RowsPerBlock(plan_), 64), stop_, some));
  const std::vector<double> least = LeastOfRows(pieces, [&](size_t p) { return lower[p]; });
  for (size_t r = 0; r < least.size(); ++r) TakeBound(activation, begin + r, least[r]);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Refinement::CertifyPieces(int activation,
                                                              const std::vector<CompactDomain>& pieces,
                                                              const std::vector<size_t>& chosen) {
  RowDetails details;
  RowDetails* wanted = settings_.inside != nullptr ? &details : nullptr;
  std::vector<double> lower;
  if (whole_.has_value()) {
    ESPALIER_ASSIGN_OR_RETURN(
        lower, whole_->Certify(bounds_, {activation, &pieces, &chosen, settings_.sides}, wanted));
  } else {
    ESPALIER_ASSIGN_OR_RETURN(lower, CertifyLeft(activation, pieces, chosen, wanted));
  }
  if (wanted == nullptr) return lower;
  const auto inputs = static_cast<size_t>(plan_.node(0).size);
  const double *lambda = details.input_lambda.data(), *corner = details.corner.data();
#pragma omp parallel for
  for (size_t k = 0; k < lower.size(); ++k) {
    lower[k] =
        BoundInside(*settings_.inside, {lower[k], lambda + k * inputs, corner + k * inputs}, bounds_.boxes);
  }
  return lower;
}

absl::StatusOr<std::vector<double>> Refinement::CertifyLeft(int activation,
                                                            const std::vector<CompactDomain>& pieces,
                                                            const std::vector<size_t>& chosen,
                                                            RowDetails* details) {
  const auto inputs = static_cast<size_t>(plan_.node(0).size);
  if (details != nullptr) details->input_lambda.resize(chosen.size() * inputs);
  std::vector<backend::CompactClaim> claims(chosen.size());
  for (size_t k = 0; k < chosen.size(); ++k) {
    const CompactDomain& row = pieces[chosen[k]];
    claims[k].unit = row.unit;
    claims[k].sign = static_cast<double>(row.sign);
    claims[k].exact_slopes = row.exact_slopes;
    claims[k].splits = row.splits;
    if (details != nullptr) claims[k].lambda = details->input_lambda.data() + k * inputs;
  }
  ESPALIER_RETURN_IF_ERROR(
      network_.certifier()->Bound(absl::MakeSpan(claims), network_.StartStage(activation)));
  std::vector<double> lower;
  for (const backend::CompactClaim& claim : claims) lower.push_back(Proved(claim, /*offset_error=*/0));
  if (details != nullptr) details->corner = CornersOf(details->input_lambda, bounds_.boxes);
  return lower;
}

void Refinement::TakeBound(int activation, size_t row, double lower) {
  if (!std::isfinite(lower)) return;  // nothing was certified
  LayerBox& box = bounds_.layers[static_cast<size_t>(activation)];
  const auto i = static_cast<size_t>(Unstable(activation)[row / 2]);
  if (row % 2 == 0) {
    if (lower > box.lower[i]) box.lower[i] = lower;
  } else if (-lower < box.upper[i]) {
    box.upper[i] = -lower;
  }
  if (box.lower[i] > box.upper[i]) bounds_.empty = {true};
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
      const int32_t unstable = network_.Unnumbered(number);
      if (unstable < 0) continue;  // a cut's, which is never split
      const int32_t layer = network_.activation_of(unstable);
      const auto j = static_cast<size_t>(unstable - network_.first(layer));
      share.parts.push_back({layer, Unstable(layer)[j], score});
    }
    settings_.shares->push_back(std::move(share));
  }
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
