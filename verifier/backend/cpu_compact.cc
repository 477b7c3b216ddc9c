#include "verifier/backend/cpu_compact.h"

#include <omp.h>

#include <algorithm>

#include "verifier/backend/cpu_compact_tile.h"
#include "verifier/base/status.h"

namespace espalier::backend {
namespace {

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
    if (!state_.Going()) return state_.status;
    if (settings.start_stage >= 0) program_.PrepareStart(static_cast<size_t>(settings.start_stage));
    // Half-wide tiles as long as they hold everything.
    const int64_t lanes = count > kMostLanes / 2 * state_.threads ? kMostLanes : kMostLanes / 2;
    const auto team = static_cast<int>(std::clamp<int64_t>((count + lanes - 1) / lanes, 1, state_.threads));
#pragma omp parallel num_threads(team) if (team > 1)
    tiles_[static_cast<size_t>(omp_get_thread_num())].Run(queue, settings, lanes, state_.stop);
    return state_.Going() ? absl::OkStatus() : state_.status;
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
