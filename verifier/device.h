// The one list of linked backends: which devices there are, and a backend on one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/factory.h"

namespace espalier {

// Devices as options.device counts them.
constexpr int64_t kAnyDevice = -1;  // the processor; once cards have been tried, the first one that works
constexpr int64_t kCpuDevice = 0;   // N + 1: card N

// Names of all devices that can be used now: "cpu", "cuda:0", ...
std::vector<std::string> DeviceNames();

struct DeviceRequest {
  int64_t device = kAnyDevice;
  int64_t card_memory_bytes = 0;  // budget on a card; 0: nine tenths of what is free there
};

// A card that was asked for and cannot be used is an error that says why (UNIMPLEMENTED: not built;
// UNAVAILABLE: no driver or no card; NOT_FOUND: no such card); kAnyDevice uses the processor then.
absl::StatusOr<std::unique_ptr<backend::Backend>> MakeBackend(const DeviceRequest& where,
                                                              const backend::BackendRequest& request);

}  // namespace espalier
