// What the parts of a CUDA backend share: the stream, cuBLAS, memory, the sticky error and the stop token.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cuda_kernels/cublas_library.h"
#include "cuda_kernels/error.h"
#include "cuda_kernels/memory.h"
#include "cuda_kernels/staging.h"
#include "verifier/base/stop_token.h"

namespace espalier::cuda_kernels {

// How many cards the machine has; UNAVAILABLE with the reason when there is none to be used.
absl::StatusOr<int> CountDevices();

class CudaState {
 public:
  // memory_bytes 0: nine tenths of what is free. Sets the calling thread's device.
  static absl::StatusOr<std::shared_ptr<CudaState>> Make(int device, int64_t memory_bytes, StopToken stop);
  ~CudaState();
  CudaState(const CudaState&) = delete;
  CudaState& operator=(const CudaState&) = delete;

  // False after an error, and from the moment on when the stop token has fired: nothing more is queued.
  bool Going();
  void Note(absl::Status result) { status_.Update(std::move(result)); }  // keeps the first error
  template <class Error>
  void Note(Error error, const char* doing) {
    if (error == Error{}) return;
    // What fails while a graph is captured spoils the capture, and is done again without.
    capturing_ ? void(capture_failed_ = true) : Note(ToStatus(error, doing));
  }
  const absl::Status& status() const { return status_; }

  // To be told of the work that was queued. Once a few slices' worth is waiting, waits for the oldest, so
  // that a stop is answered soon; the card always has a slice ahead of it.
  void Spend(double flops);

  // Between the two, launches belong to a graph (graph.h): they are counted apart and nothing is waited for.
  // False when one of them failed or work has ended.
  void BeginCapture();
  bool EndCapture(int64_t* kernels, double* flops);

  struct Counts {
    int64_t launches = 0;         // kernels started one by one
    int64_t replays = 0;          // of graphs
    int64_t replayed = 0;         // kernels in them
    int64_t captures_failed = 0;  // sequences that are launched one by one for that
    int64_t lanes_halved = 0;     // smaller groups of domains for want of memory
  };
  Counts& counts() { return counts_; }

  absl::StatusOr<void*> Allocate(int64_t bytes);
  void Free(void* data, int64_t bytes);
  void Upload(const void* host, int64_t bytes, void* device);
  // Fills the host's bytes with 0xff (NaN) when the card cannot be read.
  void Download(const void* device, int64_t bytes, void* host);
  absl::Status Synchronise();

  // See backend::Backend::Lap.
  double Lap();

  cudaStream_t stream() const { return stream_; }
  const CublasLibrary& library() const { return *library_; }
  cublasHandle_t blas() const { return blas_; }
  // Of buffers and maps, without the workspace.
  int64_t bytes_in_use() const { return memory_->in_use() - workspace_in_use_; }
  int64_t bytes_left() const { return memory_->budget() - memory_->in_use(); }

  // Patches of convolutions: one buffer for all products, which run one after another. At least `least` bytes
  // (RESOURCE_EXHAUSTED when there is no room), more when there is.
  absl::Status ReserveWorkspace(int64_t least);
  void* workspace() const { return workspace_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }

 private:
  explicit CudaState(int device, StopToken stop) : device_(device), stop_(std::move(stop)) {}
  absl::Status Open(int64_t memory_bytes);

  int device_;
  StopToken stop_;
  absl::Status status_;
  cudaStream_t stream_ = nullptr;
  const CublasLibrary* library_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  std::unique_ptr<DeviceMemory> memory_;
  std::unique_ptr<Staging> staging_;
  void* workspace_ = nullptr;
  int64_t workspace_bytes_ = 0;
  int64_t workspace_in_use_ = 0;         // of the memory's count
  std::array<cudaEvent_t, 4> slices_{};  // ends of the latest slices of queued work
  std::array<cudaEvent_t, 2> laps_{};    // the last call of Lap, and the next one
  bool timed_ = false;                   // the first of them was recorded
  size_t slice_ = 0;
  double spent_ = 0;  // since the last slice ended
  Counts counts_;
  bool capturing_ = false, capture_failed_ = false;
  double captured_flops_ = 0;
  int64_t launches_before_ = 0;
};

// Device memory of a map, which may outlive its backend. Move-only; empty by default.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  // Copies the values to the device. RESOURCE_EXHAUSTED.
  template <class Values>
  static absl::StatusOr<DeviceArray> From(std::shared_ptr<CudaState> state, const Values& values) {
    absl::StatusOr<DeviceArray> array = Of(std::move(state), static_cast<int64_t>(values.size()));
    if (array.ok()) array->state_->Upload(values.data(), array->bytes_, array->data_);
    return array;
  }
  static absl::StatusOr<DeviceArray> Of(std::shared_ptr<CudaState> state, int64_t count) {
    DeviceArray array;
    array.bytes_ = count * static_cast<int64_t>(sizeof(T));
    absl::StatusOr<void*> data = state->Allocate(array.bytes_);
    if (!data.ok()) return data.status();
    array.data_ = static_cast<T*>(*data);
    array.state_ = std::move(state);
    return array;
  }
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceArray() {
    if (state_ != nullptr) state_->Free(data_, bytes_);
  }
  T* data() const { return data_; }

 private:
  std::shared_ptr<CudaState> state_;
  T* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace espalier::cuda_kernels
