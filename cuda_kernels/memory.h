// Device memory of one backend: a stream-ordered pool of the CUDA runtime with a byte budget. What is given
// back stays in the pool for the next request, so that a bound pass in steady state asks the driver for
// nothing; work that is queued may go on using a buffer that was given back, because the next owner's work
// comes after it on the same stream. Not thread-safe (a Backend is not).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace espalier::cuda_kernels {

class DeviceMemory {
 public:
  // budget_bytes > 0. `stream` outlives the memory.
  static absl::StatusOr<std::unique_ptr<DeviceMemory>> Make(int device, int64_t budget_bytes,
                                                            cudaStream_t stream);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // RESOURCE_EXHAUSTED when the budget or the card has no room, after the pool's unused memory was given back
  // to the driver. The backend stays usable.
  absl::StatusOr<void*> Allocate(int64_t bytes);
  void Free(void* data, int64_t bytes);
  int64_t in_use() const { return in_use_; }
  int64_t budget() const { return budget_; }

 private:
  DeviceMemory(int64_t budget_bytes, cudaStream_t stream) : budget_(budget_bytes), stream_(stream) {}

  int64_t budget_;
  cudaStream_t stream_;
  cudaMemPool_t pool_ = nullptr;
  int64_t in_use_ = 0;  // handed out, in whole granules
};

}  // namespace espalier::cuda_kernels
