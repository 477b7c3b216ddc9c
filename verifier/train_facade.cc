// The façade's Train: a network from a spec or a model, trained, measured and written as ONNX.
#include "verifier/backend/backend.h"
#include "verifier/base/status.h"
#include "verifier/device.h"
#include "verifier/formats/onnx_writer.h"
#include "verifier/train/accuracy.h"
#include "verifier/train/spec.h"
#include "verifier/train/trainer.h"
#include "verifier/train_checkpoint.h"
#include "verifier/train_inputs.h"
#include "verifier/training_memory.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

absl::StatusOr<TrainableModel> StartNetwork(const TrainRequest& request) {
  if (request.model != nullptr) return TrainableOf(*request.model);
  ESPALIER_ASSIGN_OR_RETURN(train::BuiltNetwork built,
                            train::BuildNetwork(request.spec, static_cast<uint64_t>(request.options.seed)));
  TrainableModel start;
  start.network = std::move(built.network);
  start.file.input_shape = {1};
  start.file.input_shape.insert(start.file.input_shape.end(), built.input_shape.begin(),
                                built.input_shape.end());
  start.file.producer_version = std::string(Version());
  return start;
}

uint64_t FingerprintOf(const TrainRequest& request, const TrainableModel& start, const Split& split) {
  Fingerprint fingerprint;
  fingerprint.Add("train");
  fingerprint.Add(start.network);
  fingerprint.Add(*split.train.data);
  AddOptions(request.options, fingerprint);
  return fingerprint.value();
}

}  // namespace

absl::StatusOr<TrainedModel> Train(const TrainRequest& request, const TrainHooks& hooks, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(request.options));
  ESPALIER_ASSIGN_OR_RETURN(const TrainableModel start, StartNetwork(request));
  ESPALIER_ASSIGN_OR_RETURN(const Split split, SplitData(request.data, request.evaluation, start.network));
  ESPALIER_ASSIGN_OR_RETURN(
      const MemoryShares memory,
      DivideMemory(request.memory_bytes, {{&start.network}, {request.data, request.evaluation}}));
  ESPALIER_ASSIGN_OR_RETURN(
      const std::unique_ptr<backend::Backend> backend,
      MakeBackend({.device = request.options.device},
                  {.threads = request.options.threads, .memory_bytes = memory.backend}));
  // Before hours of training rather than after them.
  ESPALIER_RETURN_IF_ERROR(train::CheckAccuracyFits(start.network, split.evaluation.size(), *backend));
  CheckpointState state;
  state.fingerprint = FingerprintOf(request, start, split);
  if (!hooks.resume.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(state, ReadCheckpoint(hooks.resume, state.fingerprint));
  }
  const Reporter reporter(hooks, state.seconds);
  train::TrainHooks inner;
  inner.teacher = &start.network;
  inner.resume = std::move(state.training);
  inner.progress = [&](api::TrainProgress progress) { reporter.Progress("train", std::move(progress)); };
  absl::Status written;
  inner.checkpoint = [&](const train::TrainState& training) {
    state.training = training;
    if (written.ok()) written = reporter.Checkpoint(state);
  };
  ESPALIER_ASSIGN_OR_RETURN(const ir::Network trained,
                            train::Train(start.network, split.train, request.options, *backend, inner, stop));
  ESPALIER_RETURN_IF_ERROR(written);
  TrainedModel result;
  ESPALIER_ASSIGN_OR_RETURN(result.onnx, formats::WriteOnnx(trained, start.file));
  ESPALIER_ASSIGN_OR_RETURN(result.measurement, MeasureFile(result.onnx, split.evaluation, request.options,
                                                            {}, {*backend, memory, reporter, stop}));
  return result;
}

}  // namespace espalier
