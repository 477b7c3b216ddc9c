#include "server/local_engine.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "proto/convert.h"
#include "proto/convert_training.h"
#include "server/core.h"
#include "server/describe.h"
#include "server/point_handlers.h"
#include "server/training_job.h"

namespace espalier::server {
namespace {

// The engine's events as messages.
class Messages final : public api::EventSink {
 public:
  explicit Messages(VerifyListener& listener) : listener_(listener) {}
  void OnProgress(const api::Progress& progress) override { listener_.OnProgress(proto::ToProto(progress)); }
  void OnDisjunctRefuted(int64_t index) override {
    v1::DisjunctsRefuted refuted;
    refuted.add_index(index);
    listener_.OnRefuted(refuted);
  }

 private:
  VerifyListener& listener_;
};

api::Checkpoints CheckpointsOf(const Continuation& continuation, VerifyListener& listener) {
  api::Checkpoints checkpoints;
  checkpoints.resume = continuation.resume;
  if (continuation.checkpoint_s > 0) {
    checkpoints.every = absl::Seconds(continuation.checkpoint_s);
    checkpoints.write = [&listener](const std::string& bytes) { listener.OnCheckpoint(bytes); };
  }
  return checkpoints;
}

}  // namespace

Failure LocalEngine::Verify(const v1::VerifyRequest& request, const Continuation& continuation,
                            VerifyListener& listener, StopToken stop, v1::VerifyResult& result) {
  const absl::Time start = absl::Now();
  const absl::StatusOr<api::Options> options = proto::OptionsFromProto(request.options());
  if (!options.ok()) return {options.status(), {.reason = "INVALID_REQUEST", .field = "options"}};
  BlobPtr model_blob, query_blob;
  Model model;
  if (Failure failure = core_.ResolveModel(request.model(), model_blob, model); !failure.ok()) return failure;
  if (Failure failure = core_.Resolve(request.query(), "query", query_blob); !failure.ok()) return failure;
  const absl::StatusOr<api::Property> property = ReadQuery(model, query_blob->bytes);
  if (!property.ok()) return Core::EngineFailure(property.status(), model, "INVALID_QUERY", "query");
  const double loaded = absl::ToDoubleSeconds(absl::Now() - start);
  Messages messages(listener);
  absl::StatusOr<api::Verdict> verdict =
      espalier::Verify(model, *property, *options, &messages, stop, CheckpointsOf(continuation, listener));
  if (!verdict.ok()) return Core::EngineFailure(verdict.status(), model, "INVALID_REQUEST", "");

  verdict->statistics.seconds["load"] = loaded;
  for (const std::string& warning : property->warnings) {
    if (std::find(verdict->warnings.begin(), verdict->warnings.end(), warning) == verdict->warnings.end()) {
      verdict->warnings.push_back(warning);
    }
  }
  result = proto::ToProto(*verdict);
  result.mutable_record()->set_device(DeviceName(options->device));
  return {};
}

Failure LocalEngine::Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) {
  return HandleBounds(core_, request, stop, response);
}

Failure LocalEngine::Describe(const v1::DescribeModelRequest& request, StopToken /*stop*/,
                              v1::DescribeModelResponse& response) {
  BlobPtr blob;
  Model model;
  if (Failure failure = core_.ResolveModel(request.model(), blob, model); !failure.ok()) return failure;
  *response.mutable_description() = ToProto(model.Describe(), *blob);
  return {};
}

Failure LocalEngine::Evaluate(const v1::EvaluateRequest& request, StopToken /*stop*/,
                              v1::EvaluateResponse& response) {
  return HandleEvaluate(core_, request, response);
}

Failure LocalEngine::Train(std::unique_ptr<TrainingJob> job, TrainListener& listener, StopToken stop,
                           TrainOutcome& outcome) {
  TrainHooks hooks;
  hooks.progress = [&listener](const api::TrainProgress& progress) {
    listener.OnProgress(proto::ToProto(progress));
  };
  hooks.checkpoint = [&listener](const std::string& bytes) { listener.OnCheckpoint(bytes); };
  return job->Run(std::move(hooks), stop, outcome);
}

}  // namespace espalier::server
