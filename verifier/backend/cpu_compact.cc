#include "verifier/backend/cpu_compact.h"

#include <omp.h>

#include <algorithm>

#include "verifier/backend/cpu_compact_tile.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

// Tiles of few rows at a time, and lanes that wait for others, have to be paid for by what is left out.
constexpr double kMostConeShare = 0.75;

// Whether what rows in the middle of the list are made of is little enough.
bool WorthCones(const CompactProgram& program, absl::Span<const CompactDomain> rows,
                const CompactSettings& settings) {
  if (settings.corners || rows.empty()) return false;
  if (std::any_of(rows.begin(), rows.end(), [](const CompactDomain& row) { return row.input != nullptr; })) {
    return false;
  }
  const size_t first = rows.size() / 2 / (kMostLanes / 2) * (kMostLanes / 2);
  std::vector<uint8_t> marks;
  TileReach cone;
  MakeCone(program, settings.start_stage, TipsOf(program, settings, rows.subspan(first, kMostLanes / 2)),
           marks, cone);
  return static_cast<double>(cone.Work()) <
         kMostConeShare * static_cast<double>(program.Whole(settings.start_stage).Work());
}

class CpuCompact final : public CompactBounder {
 public:
  CpuCompact(const CompactNetwork& network, CpuState& state)
      : program_(network, BestCompactKernels()), state_(state) {}

  absl::Status MakeTiles(Backend& backend) {
    for (int64_t t = 0; t < state_.threads; ++t) {
      ESPALIER_ASSIGN_OR_RETURN(CompactTile tile, CompactTile::Make(program_, backend));
      tiles_.push_back(std::move(tile));
    }
    return absl::OkStatus();
  }

  absl::Status Bound(absl::Span<CompactDomain> domains, const CompactSettings& settings) override {
    CompactQueue queue(domains);
    return Run(queue, static_cast<int64_t>(domains.size()), settings);
  }

  absl::Status Try(absl::Span<CompactTrial> trials) override {
    CompactQueue queue(trials);
    return Run(queue, static_cast<int64_t>(trials.size()), {.iterations = 1});
  }

  void SetLines(int32_t first, const CompactLines& lines) override { program_.SetLines(first, lines); }

 private:
  absl::Status Run(CompactQueue& queue, int64_t count, const CompactSettings& settings) {
    if (!state_.Going()) return state_.status();
    program_.PrepareStart(settings.start_stage);
    const TileShape shape = ShapeFor(queue, count, settings);
    const auto team =
        static_cast<int>(std::clamp<int64_t>((count + shape.lanes - 1) / shape.lanes, 1, state_.Team()));
#pragma omp parallel num_threads(team) if (team > 1)
    tiles_[static_cast<size_t>(omp_get_thread_num())].Run(queue, settings, shape, state_.stop);
    return state_.Going() ? absl::OkStatus() : state_.status();
  }

  TileShape ShapeFor(const CompactQueue& queue, int64_t count, const CompactSettings& settings) const {
    if (settings.start_stage >= 0 && WorthCones(program_, queue.domains(), settings)) {
      return {kMostLanes / 2, /*cones=*/true};
    }
    // Half-wide tiles as long as they hold everything.
    return {count > kMostLanes / 2 * state_.Team() ? kMostLanes : kMostLanes / 2};
  }

  CompactProgram program_;
  CpuState& state_;
  std::vector<CompactTile> tiles_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CompactBounder>> MakeCpuCompact(const CompactNetwork& network,
                                                               Backend& backend, CpuState& state) {
  auto compact = std::make_unique<CpuCompact>(network, state);
  ESPALIER_RETURN_IF_ERROR(compact->MakeTiles(backend));
  return std::unique_ptr<CompactBounder>(std::move(compact));
}

}  // namespace espalier::backend
