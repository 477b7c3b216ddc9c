#include "cuda_kernels/cuda_backend.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cuda_kernels/compact.h"
#include "cuda_kernels/cuda_map.h"
#include "cuda_kernels/kernel_sets.h"
#include "cuda_kernels/state.h"
#include "cuda_kernels/trainable.h"
#include "verifier/backend/product_check.h"
#include "verifier/base/status.h"
#include "verifier/ir/map_forms.h"

namespace espalier::cuda_kernels {
namespace {

class CudaBackend final : public backend::Backend {
 public:
  explicit CudaBackend(std::shared_ptr<CudaState> state)
      : state_(std::move(state)),
        f32_(MakeFloat32Kernels(*state_)),
        f64_(MakeFloat64Kernels(*state_)),
        training_(MakeCudaTraining(state_)) {}

  absl::StatusOr<backend::RawBuffer> AllocateBytes(int64_t bytes) override {
    ESPALIER_ASSIGN_OR_RETURN(void* data, state_->Allocate(bytes));
    return backend::RawBuffer(this, data, bytes);
  }
  void Free(void* data, int64_t bytes) override { state_->Free(data, bytes); }
  void Upload(const void* host, int64_t bytes, void* device) override { state_->Upload(host, bytes, device); }
  void Download(const void* device, int64_t bytes, void* host) override {
    state_->Download(device, bytes, host);
  }
  absl::Status Synchronise() override { return state_->Synchronise(); }

  absl::StatusOr<std::shared_ptr<const backend::PreparedMap>> Prepare(const ir::LinearMapPtr& map) override {
    return PrepareMap(*map);
  }
  absl::StatusOr<std::shared_ptr<const backend::PreparedMap>> PrepareAbs(
      const ir::LinearMapPtr& map) override {
    return PrepareMap(ir::Absolute(*map));
  }

  void Widen(int64_t count, const float* in, double* out) override { WidenOnDevice(*state_, count, in, out); }

  backend::Kernels<float>& f32() override { return *f32_; }
  backend::Kernels<double>& f64() override { return *f64_; }
  backend::Training& training() override { return *training_; }
  absl::StatusOr<std::unique_ptr<backend::CompactBounder>> MakeCompact(
      const backend::CompactNetwork& network) override {
    return MakeCudaCompact(state_, network);
  }
  double Lap() override { return state_->Lap(); }
  int64_t bytes_in_use() const override { return state_->bytes_in_use(); }
  int64_t threads() const override { return 1; }  // of the host

 private:
  absl::StatusOr<std::shared_ptr<const backend::PreparedMap>> PrepareMap(const ir::LinearMap& map) {
    if (!state_->Going()) return state_->status();
    ESPALIER_ASSIGN_OR_RETURN(CudaMapPtr made, MakeCudaMap(state_, map));
    return made;
  }

  std::shared_ptr<CudaState> state_;
  std::unique_ptr<backend::Kernels<float>> f32_;
  std::unique_ptr<backend::Kernels<double>> f64_;
  std::unique_ptr<backend::Training> training_;
};

absl::Status CheckMap(CudaBackend& backend, const ir::LinearMap& map) {
  ESPALIER_ASSIGN_OR_RETURN(const std::shared_ptr<const backend::PreparedMap> prepared,
                            backend.Prepare(std::make_shared<ir::LinearMap>(map)));
  const auto product = [&]<class T>(const std::vector<T>& x, bool forward) -> absl::StatusOr<std::vector<T>> {
    const int64_t count = static_cast<int64_t>(x.size()), rows = backend::kCheckedRows;
    std::vector<T> y(
        static_cast<size_t>(rows * (forward ? prepared->output_size() : prepared->input_size())));
    const auto size = static_cast<int64_t>(y.size());
    ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<T> from, backend::Allocate<T>(backend, count));
    ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<T> to, backend::Allocate<T>(backend, size));
    backend.Upload(x.data(), count * static_cast<int64_t>(sizeof(T)), from.data());
    backend::Kernels<T>& kernels = backend::KernelsOf<T>(backend);
    forward ? kernels.Forward(*prepared, rows, from.data(), to.data(), false)
            : kernels.Backward(*prepared, rows, from.data(), to.data(), false);
    backend.Download(to.data(), size * static_cast<int64_t>(sizeof(T)), y.data());
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    return y;
  };
  const absl::Status checked = backend::CheckProducts(map, prepared->longest_sum(), product, product);
  if (!absl::IsInternal(checked) || IsDeviceLost(checked)) return checked;
  return absl::InternalError(absl::StrCat("cuda: wrong results: ", std::string(checked.message())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<backend::Backend>> MakeCudaBackend(const CudaOptions& options) {
  {
    // The check has a backend of its own: it must run even when the caller's token has fired already, and its
    // workspace is too small for the caller's maps.
    ESPALIER_ASSIGN_OR_RETURN(std::shared_ptr<CudaState> state,
                              CudaState::Make(options.device, int64_t{8} << 20, StopToken()));
    CudaBackend backend(std::move(state));
    ESPALIER_RETURN_IF_ERROR(CheckMap(backend, backend::SampleDense(48, 64)));
    ESPALIER_RETURN_IF_ERROR(CheckMap(backend, backend::SampleConv()));
  }
  ESPALIER_ASSIGN_OR_RETURN(std::shared_ptr<CudaState> state,
                            CudaState::Make(options.device, options.memory_bytes, options.stop));
  return std::make_unique<CudaBackend>(std::move(state));
}

absl::StatusOr<std::vector<std::string>> CudaDevices() {
  ESPALIER_ASSIGN_OR_RETURN(const int count, CountDevices());
  std::vector<std::string> names;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    ESPALIER_RETURN_IF_ERROR(
        ToStatus(cudaGetDeviceProperties(&properties, device), "asking for the device's name"));
    names.push_back(properties.name);
  }
  return names;
}

}  // namespace espalier::cuda_kernels
