// A call with one answer whose work runs on a queue: finishes the call with the work's error or OK, and
// passes cancellation and the call's deadline on as a StopToken. Owns itself from Start until the call is
// done.
//
//   return UnaryCall::Start("Evaluate", core.lookups(), context, [=](StopToken stop) -> Failure { ... });
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "server/errors.h"
#include "server/work_queue.h"
#include "verifier/base/stop_token.h"

namespace espalier::server {

class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  using Work = std::function<Failure(StopToken)>;

  static UnaryCall* Start(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context, Work work);

 private:
  UnaryCall(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context, Work work);
  void Submit(std::string client);
  void End(const Failure& failure);
  void OnCancel() override;
  void OnDone() override { delete this; }

  const char* const rpc_;
  WorkQueue& queue_;
  const absl::Time arrival_;
  StopSource stop_;
  const Work work_;
};

}  // namespace espalier::server
