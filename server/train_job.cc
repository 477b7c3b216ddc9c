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
  Failure Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) override;

 private:
  FileSizes Sizes() const override {
    return {model_blob_ == nullptr ? 0 : static_cast<int64_t>(model_blob_->bytes.size()),
            files_.file_bytes()};
  }
  void Fill(v1::WorkerRun& run) const override { *run.mutable_train() = request_; }
  Core& core_;
  const v1::TrainRequest& request_;
  api::TrainOptions options_;
  BlobPtr model_blob_;
  TrainingFiles files_;
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
  return files_.Resolve(core_, request_);
}

Failure TrainJob::Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) {
  Model model;
  if (model_blob_ != nullptr) {
    if (Failure f = core_.Load(model_blob_, "model", model); !f.ok()) return f;
  }
  if (Failure f = files_.Read(); !f.ok()) return f;
  TrainRequest engine;
  engine.spec = request_.spec();
  engine.model = model_blob_ != nullptr ? &model : nullptr;
  engine.data = files_.data.get();
  engine.evaluation = files_.evaluation.get();
  engine.options = options_;
  engine.memory_bytes = budget();
  if (files_.resume != nullptr) hooks.resume = files_.resume->bytes;
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
