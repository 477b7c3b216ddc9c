// The façade's Compare: difference bounds over boxes around samples, and both networks measured.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"
#include "verifier/device.h"
#include "verifier/graft/compare.h"
#include "verifier/measure.h"
#include "verifier/model_impl.h"
#include "verifier/train/trainer.h"
#include "verifier/training_memory.h"

namespace espalier {
namespace {

// The model's network, or an error that says which of the two is at fault.
absl::Status CheckModel(const char* which, const Model* model, const Dataset& data) {
  if (model == nullptr) return absl::InvalidArgumentError(absl::StrCat(which, ": no model is given"));
  absl::Status status = model->impl().lowering_status;
  if (status.ok()) status = train::CheckFits(*model->impl().network, data);
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(which, ": ", std::string(status.message())));
}

absl::Status CheckRequest(const CompareRequest& request) {
  if (request.data == nullptr || request.data->size() == 0) {
    return absl::InvalidArgumentError("data: there are no samples to compare on");
  }
  ESPALIER_RETURN_IF_ERROR(CheckModel("base", request.base, *request.data));
  ESPALIER_RETURN_IF_ERROR(CheckModel("other", request.other, *request.data));
  if (request.base->output_size() != request.other->output_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the models give different outputs: ", request.base->output_size(), " and ",
                     request.other->output_size(), " values"));
  }
  if (!(request.epsilon >= 0 && request.epsilon < 1e6)) {
    return absl::InvalidArgumentError("epsilon must be at least 0 and below 1e6");
  }
  if (!(request.low <= request.high)) return absl::InvalidArgumentError("low must not be above high");
  if (request.samples < 0) return absl::InvalidArgumentError("samples must not be negative");
  if (request.alpha_iterations < 0 || request.alpha_iterations > 10000) {
    return absl::InvalidArgumentError("alpha_iterations must be between 0 and 10000");
  }
  if (request.threads < 0 || request.threads > 1024) {
    return absl::InvalidArgumentError("threads must be between 0 and 1024");
  }
  if (!(request.verify_timeout_s >= 0)) {
    return absl::InvalidArgumentError("verify_timeout_s must not be negative");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<api::DifferenceBounds> Compare(const CompareRequest& request, const TrainHooks& hooks,
                                              StopToken stop) {
  const absl::Time start = absl::Now();
  ESPALIER_RETURN_IF_ERROR(CheckRequest(request));
  ESPALIER_ASSIGN_OR_RETURN(
      const MemoryShares memory,
      DivideMemory(
          request.memory_bytes,
          {{&*request.base->impl().network, &*request.other->impl().network}, {request.data}, true}));
  ESPALIER_ASSIGN_OR_RETURN(
      const std::unique_ptr<backend::Backend> backend,
      MakeBackend({.device = request.device}, {.threads = request.threads, .memory_bytes = memory.backend}));
  Samples all{request.data, std::vector<int64_t>(static_cast<size_t>(request.data->size()))};
  std::iota(all.order.begin(), all.order.end(), int64_t{0});
  const std::string* network = nullptr;
  const auto report = [&](api::TrainProgress line) {
    if (!hooks.progress) return;
    line.seconds = absl::ToDoubleSeconds(absl::Now() - start);
    if (network != nullptr) line.message = *network;
    hooks.progress(line);
  };
  const int64_t samples = std::min(request.samples, request.data->size());
  graft::CompareSettings bounding{.epsilon = request.epsilon,
                                  .low = request.low,
                                  .high = request.high,
                                  .samples = samples,
                                  .alpha_iterations = request.alpha_iterations};
  bounding.progress = [&](int64_t done, int64_t total) {
    api::TrainProgress line;
    line.stage = "bound";
    line.done = done;
    line.total = total;
    report(std::move(line));
  };
  ESPALIER_ASSIGN_OR_RETURN(
      graft::Differences differences,
      graft::CompareNetworks(*request.base->impl().network, *request.other->impl().network, all, bounding,
                             *backend, stop));
  api::DifferenceBounds result;
  result.samples = samples;
  result.bound = std::move(differences.bound);
  result.found = std::move(differences.found);
  if (samples > 0) {
    result.disagreement = static_cast<double>(differences.disagree) / static_cast<double>(samples);
  }
  const MeasureSettings settings{.box = {request.epsilon, request.low, request.high},
                                 .verify_samples = samples,
                                 .verify_timeout_s = request.verify_timeout_s,
                                 .verify_memory_bytes = memory.verification,
                                 .threads = request.threads};
  const std::string names[] = {"base", "other"};
  network = &names[0];
  ESPALIER_ASSIGN_OR_RETURN(result.base, Measure(*request.base, all, settings, *backend, report, stop));
  network = &names[1];
  ESPALIER_ASSIGN_OR_RETURN(result.other, Measure(*request.other, all, settings, *backend, report, stop));
  return result;
}

}  // namespace espalier
