// The job of Compare.
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/convert_training.h"
#include "server/training_input.h"
#include "server/training_job.h"

namespace espalier::server {
namespace {

constexpr int64_t kMaxSamples = 1'000'000;
constexpr int64_t kMaxIterations = 10000;

class CompareJob : public TrainingJob {
 public:
  CompareJob(Core& core, const v1::CompareRequest& request) : core_(core), request_(request) {}

  Failure Prepare() override;
  Failure Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) override;

 private:
  FileSizes Sizes() const override {
    return {static_cast<int64_t>(base_blob_->bytes.size() + other_blob_->bytes.size()), data_.file_bytes()};
  }
  void Fill(v1::WorkerRun& run) const override { *run.mutable_compare() = request_; }
  Failure PrepareNumbers();

  Core& core_;
  const v1::CompareRequest& request_;
  CompareRequest engine_;
  BlobPtr base_blob_, other_blob_;
  LabelledInput data_{"data"};
};

// Every comparison is written so that a NaN is refused.
Failure CompareJob::PrepareNumbers() {
  engine_.epsilon = request_.epsilon();
  if (request_.has_low()) engine_.low = request_.low();
  if (request_.has_high()) engine_.high = request_.high();
  if (request_.has_samples()) engine_.samples = request_.samples();
  if (request_.has_alpha_iterations()) engine_.alpha_iterations = request_.alpha_iterations();
  engine_.verify_timeout_s = request_.verify_timeout_s();
  engine_.threads = core_.EffectiveThreads(request_.threads());
  if (!(engine_.epsilon >= 0) || !std::isfinite(engine_.epsilon))
    return BadField("epsilon", absl::StrCat(engine_.epsilon, " is no radius"));
  if (!(engine_.low < engine_.high) || !std::isfinite(engine_.low) || !std::isfinite(engine_.high))
    return BadField("low", absl::StrCat(engine_.low, " is not below high, ", engine_.high));
  if (engine_.samples < 1 || engine_.samples > kMaxSamples)
    return BadField("samples", absl::StrCat(engine_.samples, " is not between 1 and ", kMaxSamples));
  if (engine_.alpha_iterations < 0 || engine_.alpha_iterations > kMaxIterations) {
    return BadField("alpha_iterations",
                    absl::StrCat(engine_.alpha_iterations, " is not between 0 and ", kMaxIterations));
  }
  if (!(engine_.verify_timeout_s >= 0 && engine_.verify_timeout_s <= 1e6))
    return BadField("verify_timeout_s", absl::StrCat(engine_.verify_timeout_s, " is no time limit"));
  if (request_.device().empty()) return {};
  const absl::StatusOr<int64_t> device = DeviceNumber(request_.device());
  if (!device.ok()) return BadField("device", std::string(device.status().message()));
  engine_.device = *device;
  return {};
}

Failure CompareJob::Prepare() {
  if (Failure f = PrepareNumbers(); !f.ok()) return f;
  if (Failure f = core_.Resolve(request_.base(), "base", base_blob_); !f.ok()) return f;
  if (Failure f = core_.Resolve(request_.other(), "other", other_blob_); !f.ok()) return f;
  return data_.Resolve(core_, request_.data());
}

Failure CompareJob::Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) {
  Model base, other;
  if (Failure f = core_.Load(base_blob_, "base", base); !f.ok()) return f;
  if (Failure f = core_.Load(other_blob_, "other", other); !f.ok()) return f;
  if (Failure f = data_.Read(); !f.ok()) return f;
  engine_.base = &base;
  engine_.other = &other;
  engine_.data = data_.get();
  engine_.memory_bytes = budget();
  const absl::StatusOr<api::DifferenceBounds> difference = Compare(engine_, hooks, stop);
  if (!difference.ok()) {
    return TrainingFailure(difference.status(), base.Describe().unsupported.empty() ? &other : &base);
  }
  *outcome.result.mutable_difference() = proto::ToProto(*difference);
  return {};
}

}  // namespace

std::unique_ptr<TrainingJob> MakeCompareJob(Core& core, const v1::CompareRequest& request) {
  return std::make_unique<CompareJob>(core, request);
}

}  // namespace espalier::server
