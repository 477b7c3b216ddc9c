// The work of Train, Graft and Compare, apart from how it is queued and streamed.
//
//   auto job = MakeGraftJob(core, request);      // request outlives the job
//   if (Failure failure = job->Prepare(); !failure.ok()) ...
//   Failure failure = job->Run(hooks, stop, outcome);
#pragma once

#include <memory>
#include <string>

#include "espalier/v1/training.pb.h"
#include "espalier/v1/worker.pb.h"
#include "server/core.h"
#include "server/errors.h"
#include "verifier/base/stop_token.h"
#include "verifier/verifier.h"

namespace espalier::server {

class TrainingJob {
 public:
  virtual ~TrainingJob() = default;

  // Checks options and finds every blob, so that a wrong request is refused at once and nothing that it names
  // is dropped while it waits. Quick; parses nothing.
  virtual Failure Prepare() = 0;

  // After Prepare: decides what the run may take, by the sizes of its files, and bounds it by that.
  // RESOURCE_EXHAUSTED when it cannot fit even alone.
  Failure LimitMemory(const Limits& limits);
  // Upper limit of what the run takes beside what the server itself holds; 0: not limited.
  int64_t memory_bytes() const { return memory_bytes_; }

  // Parses and works, on the calling thread. Call once, after Prepare.
  virtual Failure Run(TrainHooks hooks, StopToken stop, TrainOutcome& outcome) = 0;

  // The run, as a worker process gets it.
  v1::WorkerRun Message() const;

 protected:
  struct FileSizes {
    int64_t models = 0, others = 0;  // bytes
  };
  virtual FileSizes Sizes() const = 0;
  // Sets the request.
  virtual void Fill(v1::WorkerRun& run) const = 0;

  int64_t budget() const { return budget_; }  // of a run beside its files; 0: not limited

 private:
  friend std::unique_ptr<TrainingJob> MakeTrainingJob(Core& core, const v1::WorkerRun& run);

  int64_t budget_ = 0;
  int64_t memory_bytes_ = 0;
};

std::unique_ptr<TrainingJob> MakeTrainJob(Core& core, const v1::TrainRequest& request);
std::unique_ptr<TrainingJob> MakeGraftJob(Core& core, const v1::GraftRequest& request);
std::unique_ptr<TrainingJob> MakeCompareJob(Core& core, const v1::CompareRequest& request);
// The job that Message came from; null when it is none of the three. `run` outlives it.
std::unique_ptr<TrainingJob> MakeTrainingJob(Core& core, const v1::WorkerRun& run);

}  // namespace espalier::server
