#include "server/unary_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/client_identity.h"
#include "server/core.h"
#include "server/log.h"

namespace espalier::server {

UnaryCall* UnaryCall::Start(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context,
                            Work work) {
  auto* call = new UnaryCall(rpc, queue, context, std::move(work));
  call->Submit(ClientOf(*context));
  return call;
}

UnaryCall::UnaryCall(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context, Work work)
    : rpc_(rpc),
      queue_(queue),
      arrival_(absl::Now()),
      stop_(absl::FromChrono(context->deadline())),
      work_(std::move(work)) {}

void UnaryCall::Submit(std::string client) {
  // The call may be over and this object gone as soon as the queue has the task: nothing follows it.
  const absl::StatusOr<int64_t> position = queue_.Submit({
      .owner = this,
      .run = [this] { End(work_(stop_.token())); },
      .abandon = [this](absl::Status why) { End(Failure(std::move(why))); },
      .deadline = stop_.token().deadline(),
      .client = std::move(client),
  });
  if (!position.ok()) End(NotAdmitted(position.status()));
}

void UnaryCall::End(const Failure& failure) {
  Log(failure.ok() ? LogLevel::kInfo : LogLevel::kWarning,
      {{"rpc", rpc_},
       {"code", absl::StatusCodeToString(failure.status().code())},
       {"seconds", absl::StrCat(absl::ToDoubleSeconds(absl::Now() - arrival_))},
       {"message", std::string(failure.status().message())}});
  Finish(failure.ToGrpc());
}

void UnaryCall::OnCancel() {
  stop_.Cancel();
  if (queue_.Remove(this)) End(Failure(absl::CancelledError("cancelled while it waited in the queue")));
}

}  // namespace espalier::server
