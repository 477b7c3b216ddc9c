// One Train, Graft or Compare call: prepares its job, admits it to the queue, runs it on a worker, streams
// events, ends with the result. A slow or vanished reader never blocks the work, and one that has gone stops
// it. Owns itself until the call is done.
//
//   return TrainCall::Start(ticket, core, context, MakeTrainJob(core, *request));
//
// Threads: Start on a gRPC thread; Run, OnProgress and OnCheckpoint on a worker; OnCancel on a gRPC thread.
#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <string>

#include "espalier/v1/training.pb.h"
#include "server/core.h"
#include "server/stream_call.h"
#include "server/ticket.h"
#include "server/train_buffer.h"
#include "server/training_job.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class TrainCall : public StreamCall<v1::TrainEvent>, private TrainListener {
 public:
  static TrainCall* Start(Ticket ticket, Core& core, grpc::CallbackServerContext* context,
                          std::unique_ptr<TrainingJob> job);

 private:
  TrainCall(Ticket ticket, Core& core, std::unique_ptr<TrainingJob> job)
      : ticket_(std::move(ticket)), core_(core), job_(std::move(job)) {}

  Failure Admit(absl::Time call_deadline);
  void Run();
  // The call has its answer: an error, or the result that was put into the buffer.
  void End(Failure failure);

  void OnProgress(v1::TrainProgress progress) override;
  void OnCheckpoint(std::string bytes) override;
  std::optional<v1::TrainEvent> NextEvent(bool /*failed*/) override { return buffer_.Next(absl::Now()); }
  void OnReaderGone() override { stop_.Cancel(); }
  void OnCancel() override;

  const Ticket ticket_;
  Core& core_;
  std::unique_ptr<TrainingJob> job_;  // gone once it has run: it holds the data
  StopSource stop_;
  LogFields memory_;  // what the run may take, and what it took
  TrainBuffer buffer_;
};

}  // namespace espalier::server
