#include "cuda_kernels/state.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::cuda_kernels {
namespace {

// A few milliseconds of a data-centre card's float32 work.
constexpr double kSliceFlops = 2e11;
constexpr int64_t kWorkspaceBytes = int64_t{64} << 20;

absl::Status CheckDevice(int device) {
  ESPALIER_ASSIGN_OR_RETURN(const int count, CountDevices());
  if (device < 0 || device >= count) {
    return absl::NotFoundError(
        absl::StrCat("cuda: there is no device ", device, ": the machine has ", count));
  }
  return ToStatus(cudaSetDevice(device), "opening the device");
}

}  // namespace

absl::StatusOr<int> CountDevices() {
  int driver = 0, count = 0;
  // Where there is no driver the runtime calls its version 0, and would say that it is insufficient.
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) {
    return absl::UnavailableError("cuda: no device: the machine has no NVIDIA driver");
  }
  ESPALIER_RETURN_IF_ERROR(ToStatus(cudaGetDeviceCount(&count), "no device"));
  if (count == 0) return absl::UnavailableError("cuda: no device");
  return count;
}

absl::StatusOr<std::shared_ptr<CudaState>> CudaState::Make(int device, int64_t memory_bytes, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckDevice(device));
  std::shared_ptr<CudaState> state(new CudaState(device, std::move(stop)));
  ESPALIER_RETURN_IF_ERROR(state->Open(memory_bytes));
  return state;
}

absl::Status CudaState::Open(int64_t memory_bytes) {
  if (memory_bytes <= 0) {
    size_t available = 0, total = 0;
    ESPALIER_RETURN_IF_ERROR(ToStatus(cudaMemGetInfo(&available, &total), "asking for free memory"));
    memory_bytes = static_cast<int64_t>(available / 10 * 9);
  }
  ESPALIER_RETURN_IF_ERROR(
      ToStatus(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"));
  ESPALIER_ASSIGN_OR_RETURN(memory_, DeviceMemory::Make(device_, memory_bytes, stream_));
  ESPALIER_ASSIGN_OR_RETURN(staging_, Staging::Make(stream_));
  for (cudaEvent_t& slice : slices_) {
    ESPALIER_RETURN_IF_ERROR(
        ToStatus(cudaEventCreateWithFlags(&slice, cudaEventDisableTiming), "making an event"));
  }
  for (cudaEvent_t& lap : laps_) {
    ESPALIER_RETURN_IF_ERROR(ToStatus(cudaEventCreateWithFlags(&lap, cudaEventDefault), "making an event"));
  }
  ESPALIER_ASSIGN_OR_RETURN(library_, LoadCublas());
  ESPALIER_RETURN_IF_ERROR(ToStatus(library_->create(&blas_), "opening the library"));
  ESPALIER_RETURN_IF_ERROR(ToStatus(library_->set_stream(blas_, stream_), "choosing the stream"));
  // No TF32, no reduced-precision products or sums, whatever the environment says.
  return ToStatus(library_->set_math_mode(blas_, CUBLAS_PEDANTIC_MATH), "choosing the arithmetic");
}

CudaState::~CudaState() {
  cudaSetDevice(device_);
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  if (workspace_ != nullptr) memory_->Free(workspace_, workspace_bytes_);
  if (blas_ != nullptr) library_->destroy(blas_);
  for (cudaEvent_t slice : slices_) {
    if (slice != nullptr) cudaEventDestroy(slice);
  }
  for (cudaEvent_t lap : laps_) {
    if (lap != nullptr) cudaEventDestroy(lap);
  }
  staging_.reset();
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  memory_.reset();
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

bool CudaState::Going() {
  if (status_.ok() && stop_.StopRequested()) status_ = absl::CancelledError("stopped");
  if (status_.ok()) Note(cudaSetDevice(device_), "choosing the device");
  return status_.ok();
}

void CudaState::BeginCapture() {
  capturing_ = true;
  capture_failed_ = false;
  captured_flops_ = 0;
  launches_before_ = counts_.launches;
}

bool CudaState::EndCapture(int64_t* kernels, double* flops) {
  capturing_ = false;
  *kernels = counts_.launches - launches_before_;
  *flops = captured_flops_;
  counts_.launches = launches_before_;
  return !capture_failed_ && Going();
}

void CudaState::Spend(double flops) {
  if (capturing_) {
    captured_flops_ += flops;
    return;
  }
  spent_ += flops;
  if (spent_ < kSliceFlops) return;
  spent_ = 0;
  Note(cudaEventRecord(slices_[slice_], stream_), "recording an event");
  slice_ = (slice_ + 1) % slices_.size();
  Note(cudaEventSynchronize(slices_[slice_]), "waiting");
}

absl::StatusOr<void*> CudaState::Allocate(int64_t bytes) {
  ESPALIER_RETURN_IF_ERROR(ToStatus(cudaSetDevice(device_), "choosing the device"));
  return memory_->Allocate(bytes);
}

void CudaState::Free(void* data, int64_t bytes) {
  cudaSetDevice(device_);
  memory_->Free(data, bytes);
}

void CudaState::Upload(const void* host, int64_t bytes, void* device) {
  Note(cudaSetDevice(device_), "choosing the device");
  Note(staging_->Upload(host, bytes, device));
}

void CudaState::Download(const void* device, int64_t bytes, void* host) {
  absl::Status read = ToStatus(cudaSetDevice(device_), "choosing the device");
  if (read.ok()) read = staging_->Download(device, bytes, host);
  if (!read.ok() && bytes > 0) std::memset(host, 0xff, static_cast<size_t>(bytes));
  Note(std::move(read));
}

absl::Status CudaState::Synchronise() {
  Note(cudaSetDevice(device_), "choosing the device");
  Note(cudaStreamSynchronize(stream_), "running kernels");
  return status_;
}

double CudaState::Lap() {
  if (!Going()) return 0;
  const cudaEvent_t last = laps_[0], now = laps_[1];
  Note(cudaEventRecord(now, stream_), "recording an event");
  Note(cudaEventSynchronize(now), "waiting");
  float milliseconds = 0;
  if (timed_ && status_.ok()) Note(cudaEventElapsedTime(&milliseconds, last, now), "reading the clock");
  timed_ = true;
  std::swap(laps_[0], laps_[1]);
  return 1e-3 * static_cast<double>(milliseconds);
}

absl::Status CudaState::ReserveWorkspace(int64_t least) {
  const int64_t wanted = std::max(least, std::min(kWorkspaceBytes, memory_->budget() / 16));
  if (workspace_bytes_ >= least) return absl::OkStatus();
  const int64_t before = memory_->in_use() - workspace_in_use_;
  absl::StatusOr<void*> made = Allocate(wanted);
  const int64_t bytes = made.ok() ? wanted : least;
  if (!made.ok()) made = Allocate(least);
  ESPALIER_RETURN_IF_ERROR(made.status());
  if (workspace_ != nullptr) Free(workspace_, workspace_bytes_);
  workspace_ = *made;
  workspace_bytes_ = bytes;
  workspace_in_use_ = memory_->in_use() - before;
  return absl::OkStatus();
}

}  // namespace espalier::cuda_kernels
