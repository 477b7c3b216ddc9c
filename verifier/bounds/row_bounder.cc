#include "verifier/bounds/row_bounder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/bounds/in_blocks.h"

namespace espalier::bounds {

int64_t RowsPerBlock(const Plan& plan) {
  return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(plan.largest_node(), 1), 32, 4096);
}

absl::Status RowBounder::Blocks(const HostRows& rows, const StopToken& stop, std::vector<double>& lower,
                                absl::FunctionRef<absl::Status(const HostRows& part, double* lower)> bound) {
  const Plan& plan = *scope_.plan;
  const int64_t n = plan.node(rows.start).size;
  lower.assign(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  const auto block = [&](int64_t begin, int64_t end) {
    absl::Status bounded = bound(rows.Slice(begin, end, n, 0), lower.data() + begin);
    if (absl::IsResourceExhausted(bounded)) {
      short_ = true;
      Release();
    }
    return bounded;
  };
  const absl::Status done = InBlocks(plan.backend(), rows.count(), RowsPerBlock(plan), stop, block);
  if (short_) Release();
  return done;
}

absl::Status RowBounder::Screen(const HostRows& rows, StopToken stop, std::vector<double>& lower) {
  return Blocks(rows, stop, lower,
                [&](const HostRows& part, double* bounds) { return ScreenBlock(part, bounds); });
}

absl::Status RowBounder::ScreenBlock(const HostRows& part, double* lower) {
  const Plan& plan = *scope_.plan;
  auto& backend = plan.backend();
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, part.count()));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> error, backend::Allocate<double>(backend, part.count()));
  ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device,
                            DeviceRows<float>::Make(plan, part, *scope_.boxes));
  BackwardInput<float> in = device.Input(*scope_.relaxation32);
  in.magnitudes = scope_.magnitudes;
  ESPALIER_RETURN_IF_ERROR(optimiser_->pass().Run(in, {.bound = bound.data(), .error = error.data()}));
  const std::vector<double> certified = TakeCertified(backend, bound, error, part.count());
  std::copy(certified.begin(), certified.end(), lower);
  return absl::OkStatus();
}

absl::Status RowBounder::Bound(const HostRows& rows, const OptimiseSettings& settings, StopToken stop,
                               std::vector<double>& lower) {
  return Blocks(rows, stop, lower, [&](const HostRows& part, double* bounds) {
    return BoundBlock(part, settings, stop, bounds);
  });
}

absl::Status RowBounder::BoundBlock(const HostRows& part, const OptimiseSettings& settings, StopToken stop,
                                    double* lower) {
  const Plan& plan = *scope_.plan;
  Slopes<float> slopes;
  if (settings.iterations > 0) {
    ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device,
                              DeviceRows<float>::Make(plan, part, *scope_.boxes));
    BackwardInput<float> in = device.Input(*scope_.relaxation32);
    in.slopes = &slopes;
    ESPALIER_RETURN_IF_ERROR(optimiser_->StartSlopes(in, slopes));
    OptimiseResult optimised;
    ESPALIER_RETURN_IF_ERROR(optimiser_->Run(in, settings, nullptr, stop, optimised));
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> certified,
                            CertifiedBounds(scope_, part, settings.iterations > 0 ? &slopes : nullptr));
  std::copy(certified.begin(), certified.end(), lower);
  return absl::OkStatus();
}

}  // namespace espalier::bounds
