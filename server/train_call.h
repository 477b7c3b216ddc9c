// One Train, Graft or Compare call: prepares its job, admits it to the queue, runs it on a worker, streams
// events, ends with the result. A slow or vanished reader never blocks the work, and one that has gone stops
// it. Owns itself until the call is done.
//
//   return TrainCall::Start("Train", core.searches(), context, MakeTrainJob(core, *request));
//
// Threads: Start on a gRPC thread; Run and the hooks on a worker; OnWriteDone and OnCancel on gRPC threads.
// mutex_ guards the stream's state and is never held while gRPC or the queue is called.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>

#include "espalier/v1/training.pb.h"
#include "server/train_buffer.h"
#include "server/training_job.h"
#include "server/work_queue.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class TrainCall : public grpc::ServerWriteReactor<v1::TrainEvent> {
 public:
  static TrainCall* Start(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context,
                          std::unique_ptr<TrainingJob> job);

 private:
  TrainCall(const char* rpc, WorkQueue& queue, std::unique_ptr<TrainingJob> job)
      : rpc_(rpc), queue_(queue), job_(std::move(job)) {}

  Failure Admit(absl::Time call_deadline);
  void Run();
  // The call has its answer: an error, or the result that was put into the buffer.
  void Complete(Failure failure);
  // Writes the next event, or finishes the call, if neither is under way.
  void Pump();

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

  const char* const rpc_;
  WorkQueue& queue_;
  std::unique_ptr<TrainingJob> job_;  // gone once it has run: it holds the data
  const absl::Time arrival_ = absl::Now();
  StopSource stop_;
  TrainBuffer buffer_;
  v1::TrainEvent event_;  // being written

  std::mutex mutex_;
  bool admitted_ = false;   // Start is over; only then may the call finish and this object go
  bool writing_ = false;    // event_ belongs to gRPC
  bool broken_ = false;     // a write failed; the rest is not sent
  bool completed_ = false;  // failure_ is final
  bool finished_ = false;
  Failure failure_;
};

}  // namespace espalier::server
