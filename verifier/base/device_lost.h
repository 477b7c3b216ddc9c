// A device that failed for good: this process can compute nothing on it any more, a fresh process may. The
// mark travels outward on the Status, so that whoever owns the process can replace it.
//
//   return AsDeviceLost(absl::InternalError("cuda: running kernels: unspecified launch failure"));
//   if (IsDeviceLost(verdict.status())) ...
#pragma once

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace espalier {

inline constexpr char kDeviceLostPayload[] = "espalier/device-lost";

inline absl::Status AsDeviceLost(absl::Status status) {
  status.SetPayload(kDeviceLostPayload, absl::Cord());
  return status;
}

inline bool IsDeviceLost(const absl::Status& status) {
  return status.GetPayload(kDeviceLostPayload).has_value();
}

}  // namespace espalier
