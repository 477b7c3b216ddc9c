#include "verifier/bounds/row_bounder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/base/status.h"

namespace espalier::bounds {

int64_t RowsPerBlock(const Plan& plan) {
  return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(plan.largest_node(), 1), 32, 4096);
}

absl::Status RowBounder::Screen(const HostRows& rows, StopToken stop, std::vector<double>& lower) {
  const Plan& plan = *scope_.plan;
  auto& backend = plan.backend();
  const int64_t block = std::min(RowsPerBlock(plan), rows.count()), n = plan.node(rows.start).size;
  lower.assign(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  if (rows.count() == 0) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, block));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> error, backend::Allocate<double>(backend, block));
  for (int64_t begin = 0; begin < rows.count() && !stop.StopRequested(); begin += block) {
    const HostRows part = rows.Slice(begin, std::min(begin + block, rows.count()), n, 0);
    ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device,
                              DeviceRows<float>::Make(plan, part, *scope_.boxes));
    BackwardInput<float> in = device.Input(*scope_.relaxation32);
    in.magnitudes = scope_.magnitudes;
    ESPALIER_RETURN_IF_ERROR(optimiser_.pass().Run(in, {.bound = bound.data(), .error = error.data()}));
    const std::vector<double> certified = TakeCertified(backend, bound, error, part.count());
    std::copy(certified.begin(), certified.end(), lower.begin() + begin);
  }
  return absl::OkStatus();
}

absl::Status RowBounder::Bound(const HostRows& rows, const OptimiseSettings& settings, StopToken stop,
                               std::vector<double>& lower) {
  const Plan& plan = *scope_.plan;
  const int64_t block = RowsPerBlock(plan), n = plan.node(rows.start).size;
  lower.assign(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  for (int64_t begin = 0; begin < rows.count() && !stop.StopRequested(); begin += block) {
    const HostRows part = rows.Slice(begin, std::min(begin + block, rows.count()), n, 0);
    Slopes<float> slopes;
    if (settings.iterations > 0) {
      ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device,
                                DeviceRows<float>::Make(plan, part, *scope_.boxes));
      BackwardInput<float> in = device.Input(*scope_.relaxation32);
      in.slopes = &slopes;
      ESPALIER_RETURN_IF_ERROR(optimiser_.StartSlopes(in, slopes));
      OptimiseResult optimised;
      ESPALIER_RETURN_IF_ERROR(optimiser_.Run(in, settings, nullptr, stop, optimised));
    }
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> certified,
                              CertifiedBounds(scope_, part, settings.iterations > 0 ? &slopes : nullptr));
    std::copy(certified.begin(), certified.end(), lower.begin() + begin);
  }
  return absl::OkStatus();
}

}  // namespace espalier::bounds
