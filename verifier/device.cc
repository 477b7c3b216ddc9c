#include "verifier/device.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "cuda_kernels/cuda_backend.h"
#include "verifier/base/status.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

bool AutoIsACard() {
  return cuda_kernels::TriedOnCards() && cuda_kernels::CudaDevices().ok();
}

absl::StatusOr<std::unique_ptr<backend::Backend>> OnCard(int64_t card, const DeviceRequest& where,
                                                         const backend::BackendRequest& request) {
  return cuda_kernels::MakeCudaBackend(
      {.device = static_cast<int>(card), .memory_bytes = where.card_memory_bytes, .stop = request.stop});
}

}  // namespace

std::vector<std::string> DeviceNames() {
  std::vector<std::string> names = {"cpu"};
  const auto cards = cuda_kernels::CudaDevices();
  for (size_t i = 0; cards.ok() && i < cards->size(); ++i) names.push_back(absl::StrCat("cuda:", i));
  return names;
}

absl::StatusOr<int64_t> DeviceNumber(std::string_view name) {
  const std::string all(name);
  absl::string_view rest = all;
  if (rest.empty() || rest == "auto") return AutoIsACard() ? kCpuDevice + 1 : kCpuDevice;
  if (rest == "cpu") return kCpuDevice;
  int64_t card = 0;
  const bool cuda = absl::ConsumePrefix(&rest, "cuda");
  if (!cuda || (!rest.empty() && !(absl::ConsumePrefix(&rest, ":") && absl::SimpleAtoi(rest, &card)))) {
    return absl::InvalidArgumentError(absl::StrCat("device '", all, "' is none of auto, cpu, cuda, cuda:N"));
  }
  const auto cards = cuda_kernels::CudaDevices();
  if (!cards.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("device '", all, "' cannot be used: ", std::string(cards.status().message())));
  }
  if (card < 0 || card >= static_cast<int64_t>(cards->size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("device '", all, "' does not exist: the machine has ", cards->size(), " cards"));
  }
  return card + 1;
}

std::string DeviceName(int64_t device) {
  if (device == kAnyDevice) return "auto";
  return device == kCpuDevice ? "cpu" : absl::StrCat("cuda:", device - 1);
}

absl::Status CheckDevice(std::string_view name) {
  ESPALIER_ASSIGN_OR_RETURN(const int64_t device, DeviceNumber(name));
  // A backend that is made has compared its products with plain loops.
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<backend::Backend> made,
                            MakeBackend({.device = device}, {.threads = 1}));
  return made->Synchronise();
}

absl::StatusOr<std::unique_ptr<backend::Backend>> MakeBackend(const DeviceRequest& where,
                                                              const backend::BackendRequest& request) {
  if (where.device > kCpuDevice) return OnCard(where.device - 1, where, request);
  if (where.device == kAnyDevice && AutoIsACard()) {
    auto made = OnCard(0, where, request);
    if (made.ok()) return made;
  }
  return backend::CpuFactory()(request);
}

}  // namespace espalier
