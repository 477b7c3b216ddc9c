// One Verify call: admits it to the queue, runs the engine on a worker, streams events, ends with the
// verdict. A slow or vanished reader never blocks the search. Owns itself until the call is done.
//
// Threads: Start on a gRPC thread; Run, OnProgress and OnDisjunctRefuted on a worker; OnWriteDone and
// OnCancel on gRPC threads. mutex_ guards the stream's state and is never held while gRPC or the queue is
// called.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <mutex>

#include "espalier/v1/verify.pb.h"
#include "server/core.h"
#include "server/event_buffer.h"
#include "verifier/api/events.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class VerifyCall : public grpc::ServerWriteReactor<v1::VerifyEvent>, private api::EventSink {
 public:
  static VerifyCall* Start(Core& core, grpc::CallbackServerContext* context,
                           const v1::VerifyRequest* request);

 private:
  VerifyCall(Core& core, const v1::VerifyRequest* request) : core_(core), request_(*request) {}

  Failure Admit(absl::Time call_deadline);
  void Run();
  // Fills `result` and its record.
  Failure Decide(v1::VerifyResult& result);
  // The call has its answer: an error, or the result that was put into the buffer.
  void Complete(Failure failure);
  void Abandon(const absl::Status& why);
  // Writes the next event, or finishes the call, if neither is under way.
  void Pump();

  void OnProgress(const api::Progress& progress) override;
  void OnDisjunctRefuted(int64_t index) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

  Core& core_;
  const v1::VerifyRequest& request_;  // gRPC keeps it until OnDone
  const absl::Time arrival_ = absl::Now();
  StopSource stop_;
  api::Options options_;
  EventBuffer buffer_;
  v1::VerifyEvent event_;  // being written

  std::mutex mutex_;
  bool admitted_ = false;   // Start is over; only then may the call finish and this object go
  bool writing_ = false;    // event_ belongs to gRPC
  bool broken_ = false;     // a write failed; the rest is not sent
  bool completed_ = false;  // failure_ is final
  bool finished_ = false;
  Failure failure_;
};

}  // namespace espalier::server
