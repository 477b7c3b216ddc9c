#include "cuda_kernels/staging.h"

#include <algorithm>
#include <cstring>

#include "cuda_kernels/error.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

absl::Status Pinned(int64_t bytes, char** data) {
  void* made = nullptr;
  const cudaError_t error = cudaMallocHost(&made, static_cast<size_t>(bytes));
  *data = static_cast<char*>(made);
  return ToStatus(error, "allocating pinned memory");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Staging>> Staging::Make(cudaStream_t stream) {
  std::unique_ptr<Staging> staging(new Staging(stream));
  for (Slot& slot : staging->slots_) {
    ESPALIER_RETURN_IF_ERROR(Pinned(kSlotBytes, &slot.data));
    ESPALIER_RETURN_IF_ERROR(
        ToStatus(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "making an event"));
  }
  ESPALIER_RETURN_IF_ERROR(Pinned(kSlotBytes, &staging->down_));
  return staging;
}

Staging::~Staging() {
  for (Slot& slot : slots_) {
    if (slot.copied != nullptr) cudaEventDestroy(slot.copied);
    if (slot.data != nullptr) cudaFreeHost(slot.data);
  }
  if (down_ != nullptr) cudaFreeHost(down_);
}

absl::Status Staging::NextSlot() {
  ESPALIER_RETURN_IF_ERROR(ToStatus(cudaEventRecord(slots_[current_].copied, stream_), "recording an event"));
  current_ = (current_ + 1) % slots_.size();
  used_ = 0;
  // A slot that was never left has an event that was never recorded: that counts as passed.
  return ToStatus(cudaEventSynchronize(slots_[current_].copied), "waiting for an upload");
}

absl::Status Staging::Upload(const void* host, int64_t bytes, void* device) {
  const char* from = static_cast<const char*>(host);
  char* to = static_cast<char*>(device);
  while (bytes > 0) {
    if (used_ >= kSlotBytes) ESPALIER_RETURN_IF_ERROR(NextSlot());
    const auto piece = static_cast<size_t>(std::min(bytes, kSlotBytes - used_));
    char* const staged = slots_[current_].data + used_;
    std::memcpy(staged, from, piece);
    ESPALIER_RETURN_IF_ERROR(
        ToStatus(cudaMemcpyAsync(to, staged, piece, cudaMemcpyHostToDevice, stream_), "uploading"));
    const auto done = static_cast<int64_t>(piece);
    used_ += (done + kAlignment - 1) / kAlignment * kAlignment;
    from += done;
    to += done;
    bytes -= done;
  }
  return absl::OkStatus();
}

absl::Status Staging::Download(const void* device, int64_t bytes, void* host) {
  const char* from = static_cast<const char*>(device);
  char* to = static_cast<char*>(host);
  while (bytes > 0) {
    const auto piece = static_cast<size_t>(std::min(bytes, kSlotBytes));
    ESPALIER_RETURN_IF_ERROR(
        ToStatus(cudaMemcpyAsync(down_, from, piece, cudaMemcpyDeviceToHost, stream_), "downloading"));
    ESPALIER_RETURN_IF_ERROR(ToStatus(cudaStreamSynchronize(stream_), "downloading"));
    std::memcpy(to, down_, piece);
    from += piece;
    to += piece;
    bytes -= static_cast<int64_t>(piece);
  }
  return absl::OkStatus();
}

}  // namespace espalier::cuda_kernels
