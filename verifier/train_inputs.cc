#include "verifier/train_inputs.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"
#include "verifier/measure.h"
#include "verifier/model_impl.h"
#include "verifier/ops/ops.h"
#include "verifier/train/trainer.h"

namespace espalier {

absl::StatusOr<TrainableModel> TrainableOf(const Model& model) {
  const Model::Impl& impl = model.impl();
  ESPALIER_RETURN_IF_ERROR(impl.lowering_status);
  TrainableModel trainable;
  ESPALIER_ASSIGN_OR_RETURN(trainable.network, ops::Lower(impl.graph, ops::LowerFor::kTraining));
  const TensorInfo& input = impl.description.inputs.front();
  const TensorInfo& output = impl.description.outputs.front();
  trainable.file = {.input_name = input.name,
                    .input_shape = input.shape,
                    .output_name = output.name,
                    .output_shape = output.shape,
                    .producer_version = std::string(Version())};
  if (!impl.description.name.empty()) trainable.file.graph_name = impl.description.name;
  return trainable;
}

absl::StatusOr<Split> SplitData(const Dataset* data, const Dataset* evaluation, const ir::Network& network) {
  if (data == nullptr || data->size() == 0) return absl::InvalidArgumentError("data: there are no samples");
  if (evaluation != nullptr && evaluation->size() == 0) {
    return absl::InvalidArgumentError("evaluation data: there are no samples");
  }
  ESPALIER_RETURN_IF_ERROR(train::CheckFits(network, *data));
  if (evaluation != nullptr) ESPALIER_RETURN_IF_ERROR(train::CheckFits(network, *evaluation));
  const int64_t held_out = evaluation != nullptr ? 0 : std::max<int64_t>(1, data->size() / 10);
  if (held_out >= data->size()) {
    return absl::InvalidArgumentError(
        "data: at least two samples are needed when none are given to evaluate on");
  }
  Split split;
  split.train.data = data;
  split.evaluation.data = evaluation != nullptr ? evaluation : data;
  split.train.order.resize(static_cast<size_t>(data->size() - held_out));
  std::iota(split.train.order.begin(), split.train.order.end(), 0);
  split.evaluation.order.resize(static_cast<size_t>(evaluation != nullptr ? evaluation->size() : held_out));
  std::iota(split.evaluation.order.begin(), split.evaluation.order.end(),
            evaluation != nullptr ? 0 : data->size() - held_out);
  return split;
}

void AddOptions(const api::TrainOptions& options, Fingerprint& fingerprint) {
  for (const api::OptionRow& row : api::TrainOptionTable())
    fingerprint.Add(api::GetOption(options, row.name));
}

void AddOptions(const api::GraftOptions& options, Fingerprint& fingerprint) {
  for (const api::OptionRow& row : api::GraftOptionTable())
    fingerprint.Add(api::GetOption(options, row.name));
}

Reporter::Reporter(const TrainHooks& hooks, double seconds_before)
    : hooks_(hooks), seconds_before_(seconds_before), start_(absl::Now()) {}

double Reporter::seconds() const {
  return seconds_before_ + absl::ToDoubleSeconds(absl::Now() - start_);
}

void Reporter::Progress(const std::string& stage, api::TrainProgress progress) const {
  if (!hooks_.progress) return;
  progress.stage = stage;
  progress.seconds = seconds();
  hooks_.progress(progress);
}

void Reporter::Count(const std::string& stage, int64_t done, int64_t total) const {
  api::TrainProgress progress;
  progress.done = done;
  progress.total = total;
  Progress(stage, std::move(progress));
}

void Reporter::Say(const std::string& stage, std::string message) const {
  api::TrainProgress progress;
  progress.message = std::move(message);
  Progress(stage, std::move(progress));
}

absl::Status Reporter::Checkpoint(CheckpointState& state) const {
  if (!hooks_.checkpoint) return absl::OkStatus();
  state.seconds = seconds();
  ESPALIER_ASSIGN_OR_RETURN(const std::string bytes, WriteCheckpoint(state));
  hooks_.checkpoint(bytes);
  return absl::OkStatus();
}

absl::StatusOr<api::Measurement> MeasureFile(const std::string& onnx, const Samples& samples,
                                             const api::TrainOptions& options, const VerifySettings& verify,
                                             const Execution& execution) {
  ESPALIER_ASSIGN_OR_RETURN(const Model model, Model::Load(onnx));
  const MeasureSettings settings{
      .box = {.epsilon = options.epsilon, .low = options.low, .high = options.high},
      .verify_samples = verify.samples,
      .verify_timeout_s = verify.timeout_s,
      .verify_memory_bytes = execution.memory.verification,
      .threads = options.threads,
      .seed = static_cast<uint64_t>(options.seed)};
  const auto progress = [&](const api::TrainProgress& line) {
    execution.reporter.Progress(line.stage, line);
  };
  return Measure(model, samples, settings, execution.backend, progress, execution.stop);
}

}  // namespace espalier
