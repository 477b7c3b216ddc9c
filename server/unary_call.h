// A call with one answer whose work runs on a queue: finishes the call with the work's error or OK, and
// passes cancellation and the call's deadline on as a StopToken. Owns itself from Start until the call is
// done.
//
//   return UnaryCall::Start(ticket, core.lookups(), context, [=](StopToken stop) -> Failure { ... });
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "server/errors.h"
#include "server/ticket.h"
#include "server/work_queue.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  using Work = std::function<Failure(StopToken)>;

  static UnaryCall* Start(Ticket ticket, WorkQueue& queue, grpc::CallbackServerContext* context, Work work);

 private:
  UnaryCall(Ticket ticket, WorkQueue& queue, grpc::CallbackServerContext* context, Work work);
  void Submit();
  void End(const Failure& failure);
  void OnCancel() override;
  void OnDone() override { delete this; }

  const Ticket ticket_;
  WorkQueue& queue_;
  StopSource stop_;
  const Work work_;
};

}  // namespace espalier::server
