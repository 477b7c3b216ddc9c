// One Verify call: admits it to the queue, runs it on a worker, streams events, ends with the
// verdict. Owns itself until the call is done.
//
// Threads: Start on a gRPC thread; Run, OnProgress and OnRefuted on a worker; OnCancel on a gRPC thread.
#pragma once

#include <grpcpp/server_context.h>

#include <string>
#include <utility>

#include "espalier/v1/verify.pb.h"
#include "server/core.h"
#include "server/event_buffer.h"
#include "server/stream_call.h"
#include "server/ticket.h"
#include "server/verification.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class VerifyCall : public StreamCall<v1::VerifyEvent>, private VerifyListener {
 public:
  static VerifyCall* Start(Ticket ticket, Core& core, grpc::CallbackServerContext* context,
                           const v1::VerifyRequest* request);

 private:
  VerifyCall(Ticket ticket, Core& core) : ticket_(std::move(ticket)), core_(core) {}

  Failure Admit(const v1::VerifyRequest& request, absl::Time call_deadline);
  void Run();
  // The call has its answer: an error, or the result that was put into the buffer.
  void End(Failure failure);
  void Abandon(const absl::Status& why);

  void OnProgress(v1::Progress progress) override;
  void OnRefuted(const v1::DisjunctsRefuted& refuted) override;
  std::optional<v1::VerifyEvent> NextEvent(bool failed) override;
  void OnReaderGone() override { stop_.Cancel(); }
  void OnCancel() override;

  const Ticket ticket_;
  Core& core_;
  StopSource stop_;
  Verification verification_;
  LogFields answer_;  // what the log says about it
  EventBuffer buffer_;
};

}  // namespace espalier::server
