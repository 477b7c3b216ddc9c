#include "cuda_kernels/memory.h"

#include "absl/strings/str_cat.h"
#include "cuda_kernels/error.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

constexpr int64_t kGranule = 256;  // the runtime's alignment: what a small buffer takes

int64_t Rounded(int64_t bytes) {
  return (bytes + kGranule - 1) / kGranule * kGranule;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceMemory>> DeviceMemory::Make(int device, int64_t budget_bytes,
                                                                 cudaStream_t stream) {
  std::unique_ptr<DeviceMemory> memory(new DeviceMemory(budget_bytes, stream));
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  ESPALIER_RETURN_IF_ERROR(ToStatus(cudaMemPoolCreate(&memory->pool_, &properties), "making a memory pool"));
  // The pool keeps as much as the budget between synchronisations.
  auto threshold = static_cast<uint64_t>(budget_bytes);
  ESPALIER_RETURN_IF_ERROR(
      ToStatus(cudaMemPoolSetAttribute(memory->pool_, cudaMemPoolAttrReleaseThreshold, &threshold),
               "setting a memory pool's threshold"));
  return memory;
}

DeviceMemory::~DeviceMemory() {
  if (pool_ != nullptr) cudaMemPoolDestroy(pool_);
}

absl::StatusOr<void*> DeviceMemory::Allocate(int64_t bytes) {
  if (bytes < 0 || bytes > budget_ || in_use_ + Rounded(bytes) > budget_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a device buffer of ", bytes, " bytes does not fit: ", in_use_, " of ", budget_, " bytes in use"));
  }
  void* data = nullptr;
  const auto size = static_cast<size_t>(bytes > 0 ? bytes : 1);
  cudaError_t error = cudaMallocFromPoolAsync(&data, size, pool_, stream_);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not sticky: forget it
    cudaStreamSynchronize(stream_);
    cudaMemPoolTrimTo(pool_, 0);
    error = cudaMallocFromPoolAsync(&data, size, pool_, stream_);
    if (error == cudaErrorMemoryAllocation) cudaGetLastError();
  }
  ESPALIER_RETURN_IF_ERROR(ToStatus(error, "allocating"));
  in_use_ += Rounded(static_cast<int64_t>(size));
  return data;
}

void DeviceMemory::Free(void* data, int64_t bytes) {
  if (data == nullptr) return;
  cudaFreeAsync(data, stream_);  // an error is sticky in the runtime and shows at the next synchronisation
  in_use_ -= Rounded(bytes > 0 ? bytes : 1);
}

}  // namespace espalier::cuda_kernels
