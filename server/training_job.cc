#include "server/training_job.h"

#include "absl/strings/str_cat.h"
#include "server/memory_limit.h"

namespace espalier::server {
namespace {

// A file of data is held as it came, and for a moment beside what was read from it; a checkpoint beside what
// is made of it.
constexpr int64_t kBytesPerDataByte = 2;

}  // namespace

Failure TrainingJob::LimitMemory(const Limits& limits) {
  if (limits.memory_total == 0) return {};
  const FileSizes sizes = Sizes();
  const int64_t fixed = kWorkerBytes + kBytesPerModelByte * sizes.models + kBytesPerDataByte * sizes.others;
  const std::string what =
      absl::StrCat("to work with models of ", sizes.models, " and data of ", sizes.others, " bytes");
  budget_ = limits.memory_bytes;
  if (Failure failure = server::LimitMemory(limits, fixed, what, budget_); !failure.ok()) return failure;
  memory_bytes_ = fixed + budget_;
  return {};
}

v1::WorkerRun TrainingJob::Message() const {
  v1::WorkerRun run;
  Fill(run);
  run.set_memory_bytes(budget_);
  return run;
}

std::unique_ptr<TrainingJob> MakeTrainingJob(Core& core, const v1::WorkerRun& run) {
  std::unique_ptr<TrainingJob> job;
  if (run.has_train()) job = MakeTrainJob(core, run.train());
  if (run.has_graft()) job = MakeGraftJob(core, run.graft());
  if (run.has_compare()) job = MakeCompareJob(core, run.compare());
  if (job != nullptr) job->budget_ = run.memory_bytes();
  return job;
}

}  // namespace espalier::server
