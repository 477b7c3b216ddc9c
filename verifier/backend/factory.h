// How the search is given a backend: it says what it needs, whoever calls it chose the device.
//
//   BackendFactory make = CpuFactory();
//   ESPALIER_ASSIGN_OR_RETURN(auto backend, make({.threads = 2, .memory_bytes = 1 << 30, .stop = token}));
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/stop_token.h"

namespace espalier::backend {

struct BackendRequest {
  int64_t threads = 0;       // of the host; 0: all processors
  int64_t memory_bytes = 0;  // of host memory; 0: no budget. A device of its own has its own budget
  StopToken stop = {};       // ends all work with CANCELLED; never: the default
};

using BackendFactory = std::function<absl::StatusOr<std::unique_ptr<Backend>>(const BackendRequest&)>;

inline BackendFactory CpuFactory() {
  return [](const BackendRequest& request) {
    return MakeCpuBackend(
        {.threads = request.threads, .memory_bytes = request.memory_bytes, .stop = request.stop});
  };
}

}  // namespace espalier::backend
