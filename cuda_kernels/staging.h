// Pinned host memory that copies pass through, so that an upload returns as soon as the caller's bytes are
// copied and neither direction makes the driver stage them itself.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace espalier::cuda_kernels {

class Staging {
 public:
  // `stream` outlives the staging memory.
  static absl::StatusOr<std::unique_ptr<Staging>> Make(cudaStream_t stream);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Queues the copy; waits only when three slots' worth of earlier uploads are still under way.
  absl::Status Upload(const void* host, int64_t bytes, void* device);
  // Waits for everything that was queued, then copies.
  absl::Status Download(const void* device, int64_t bytes, void* host);

 private:
  static constexpr int64_t kSlotBytes = int64_t{4} << 20;
  static constexpr int64_t kAlignment = 64;
  struct Slot {
    char* data = nullptr;
    cudaEvent_t copied = nullptr;  // recorded when the slot is left
  };

  explicit Staging(cudaStream_t stream) : stream_(stream) {}
  absl::Status NextSlot();

  cudaStream_t stream_;
  std::array<Slot, 4> slots_;
  size_t current_ = 0;
  int64_t used_ = 0;  // of the current slot
  char* down_ = nullptr;
};

}  // namespace espalier::cuda_kernels
