// The job of Graft.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/convert_training.h"
#include "server/training_input.h"
#include "server/training_job.h"

namespace espalier::server {
namespace {

constexpr int kMaxCurveRatios = 100;

class GraftJob : public TrainingJob {
 public:
  GraftJob(Core& core, const v1::GraftRequest& request) : core_(core), request_(request) {}

  Failure Prepare() override;
  Failure Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) override;

 private:
  FileSizes Sizes() const override {
    return {static_cast<int64_t>(model_blob_->bytes.size()), files_.file_bytes()};
  }
  void Fill(v1::WorkerRun& run) const override { *run.mutable_graft() = request_; }
  Failure PrepareOptions();

  Core& core_;
  const v1::GraftRequest& request_;
  api::GraftOptions graft_;
  api::TrainOptions train_;
  BlobPtr model_blob_;
  TrainingFiles files_;
};

Failure GraftJob::PrepareOptions() {
  const absl::StatusOr<api::GraftOptions> graft = proto::GraftOptionsFromProto(request_.graft());
  if (!graft.ok()) return OptionFailure(graft.status(), "graft");
  const absl::StatusOr<api::TrainOptions> train = proto::TrainOptionsFromProto(request_.train());
  if (!train.ok()) return OptionFailure(train.status(), "train");
  graft_ = *graft;
  train_ = *train;
  train_.threads = core_.EffectiveThreads(train_.threads);
  if (request_.curve_ratios_size() > kMaxCurveRatios)
    return BadField("curve_ratios", absl::StrCat("at most ", kMaxCurveRatios, " ratios"));
  for (const double ratio : request_.curve_ratios()) {
    // Written so that a NaN is refused.
    const bool inside = ratio >= 0 && ratio <= 1;
    if (!inside) return BadField("curve_ratios", absl::StrCat(ratio, " is not between 0 and 1"));
  }
  return {};
}

Failure GraftJob::Prepare() {
  if (Failure f = PrepareOptions(); !f.ok()) return f;
  if (Failure f = core_.Resolve(request_.model(), "model", model_blob_); !f.ok()) return f;
  return files_.Resolve(core_, request_);
}

Failure GraftJob::Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) {
  Model model;
  if (Failure f = core_.Load(model_blob_, "model", model); !f.ok()) return f;
  if (Failure f = files_.Read(); !f.ok()) return f;
  GraftRequest engine;
  engine.model = &model;
  engine.data = files_.data.get();
  engine.evaluation = files_.evaluation.get();
  engine.graft = graft_;
  engine.train = train_;
  engine.memory_bytes = budget();
  engine.curve_ratios.assign(request_.curve_ratios().begin(), request_.curve_ratios().end());
  if (files_.resume != nullptr) hooks.resume = files_.resume->bytes;
  absl::StatusOr<GraftedModel> grafted = Graft(engine, hooks, stop);
  if (!grafted.ok()) return TrainingFailure(grafted.status(), &model);
  outcome.model = std::move(grafted->onnx);
  v1::GraftReport& report = *outcome.result.mutable_grafted();
  report = proto::ToProto(grafted->report);
  report.set_model_sha256(model_blob_->sha256);
  return {};
}

}  // namespace

std::unique_ptr<TrainingJob> MakeGraftJob(Core& core, const v1::GraftRequest& request) {
  return std::make_unique<GraftJob>(core, request);
}

}  // namespace espalier::server
