#include "server/unary_call.h"

#include <utility>

namespace espalier::server {

UnaryCall* UnaryCall::Start(Ticket ticket, WorkQueue& queue, grpc::CallbackServerContext* context,
                            Work work) {
  auto* call = new UnaryCall(std::move(ticket), queue, context, std::move(work));
  call->Submit();
  return call;
}

UnaryCall::UnaryCall(Ticket ticket, WorkQueue& queue, grpc::CallbackServerContext* context, Work work)
    : ticket_(std::move(ticket)),
      queue_(queue),
      stop_(absl::FromChrono(context->deadline())),
      work_(std::move(work)) {}

void UnaryCall::Submit() {
  // The call may be over and this object gone as soon as the queue has the task: nothing follows it.
  const absl::StatusOr<int64_t> position = queue_.Submit({
      .owner = this,
      .run = [this] { End(work_(stop_.token())); },
      .abandon = [this](absl::Status why) { End(Failure(std::move(why))); },
      .deadline = stop_.token().deadline(),
      .client = ticket_.client,
  });
  if (!position.ok()) End(NotAdmitted(position.status()));
}

void UnaryCall::End(const Failure& failure) {
  ticket_.End(failure);
  Finish(failure.ToGrpc());
}

void UnaryCall::OnCancel() {
  stop_.Cancel();
  if (queue_.Remove(this)) End(Failure(absl::CancelledError("cancelled while it waited in the queue")));
}

}  // namespace espalier::server
