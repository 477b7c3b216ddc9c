// The job of Train.
#include <utility>

#include "proto/convert_training.h"
#include "server/training_input.h"
#include "server/training_job.h"

namespace espalier::server {
namespace {

constexpr size_t kMaxSpecBytes = size_t{1} << 16;

class TrainJob : public TrainingJob {
 public:
  TrainJob(Core& core, const v1::TrainRequest& request) : core_(core), request_(request) {}

  Failure Prepare() override;
  Failure Run(TrainHooks hooks, StopToken stop, Outcome& outcome) override;

 private:
  Core& core_;
  const v1::TrainRequest& request_;
  api::TrainOptions options_;
  BlobPtr model_blob_, resume_;
  LabelledInput data_{"data"}, evaluation_{"evaluation"};
};

Failure TrainJob::Prepare() {
  const absl::StatusOr<api::TrainOptions> options = proto::TrainOptionsFromProto(request_.options());
  if (!options.ok()) return OptionFailure(options.status(), "options");
  options_ = *options;
  options_.threads = core_.EffectiveThreads(options_.threads);
  if (request_.has_spec()) {
    if (request_.spec().empty() || request_.spec().size() > kMaxSpecBytes)
      return BadField("spec", "an architecture by name or by its layers, at most 64 KiB");
  } else {
    if (!request_.has_model()) return BadField("spec", "required: a spec or a model");
    if (Failure f = core_.Resolve(request_.model(), "model", model_blob_); !f.ok()) return f;
  }
  if (Failure f = data_.Resolve(core_, request_.data()); !f.ok()) return f;
  if (request_.has_evaluation()) {
    if (Failure f = evaluation_.Resolve(core_, request_.evaluation()); !f.ok()) return f;
  }
  return request_.has_resume() ? core_.Resolve(request_.resume(), "resume", resume_) : Failure();
}

Failure TrainJob::Run(TrainHooks hooks, StopToken stop, Outcome& outcome) {
  Model model;
  if (model_blob_ != nullptr) {
    if (Failure f = core_.Load(model_blob_, "model", model); !f.ok()) return f;
  }
  if (Failure f = data_.Read(); !f.ok()) return f;
  if (Failure f = evaluation_.Read(); !f.ok()) return f;
  TrainRequest engine;
  engine.spec = request_.spec();
  engine.model = model_blob_ != nullptr ? &model : nullptr;
  engine.data = data_.get();
  engine.evaluation = evaluation_.get();
  engine.options = options_;
  if (resume_ != nullptr) hooks.resume = resume_->bytes;
  absl::StatusOr<TrainedModel> trained = Train(engine, hooks, stop);
  if (!trained.ok()) return TrainingFailure(trained.status(), engine.model);
  outcome.model = std::move(trained->onnx);
  *outcome.result.mutable_trained() = proto::ToProto(trained->measurement);
  return {};
}

}  // namespace

std::unique_ptr<TrainingJob> MakeTrainJob(Core& core, const v1::TrainRequest& request) {
  return std::make_unique<TrainJob>(core, request);
}

}  // namespace espalier::server
