#include "server/verify_call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/clock.h"

namespace espalier::server {

VerifyCall* VerifyCall::Start(Ticket ticket, Core& core, grpc::CallbackServerContext* context,
                              const v1::VerifyRequest* request) {
  auto* call = new VerifyCall(std::move(ticket), core);
  Failure failure = call->Admit(*request, absl::FromChrono(context->deadline()));
  if (!failure.ok()) call->End(std::move(failure));
  call->Open();
  return call;
}

Failure VerifyCall::Admit(const v1::VerifyRequest& request, absl::Time call_deadline) {
  if (Failure failure = verification_.Prepare(core_, request, Core::Keep::kWhileUsed); !failure.ok())
    return failure;
  const double timeout_s = verification_.request().options().timeout_s();
  stop_ = StopSource(std::min(call_deadline, ticket_.arrival + absl::Seconds(timeout_s)));
  const absl::StatusOr<int64_t> position = core_.searches().Submit({
      .owner = this,
      .run = [this] { Run(); },
      .abandon = [this](const absl::Status& why) { Abandon(why); },
      .deadline = stop_.token().deadline(),
      .client = ticket_.client,
      .memory_bytes = verification_.memory_bytes(),
  });
  if (!position.ok()) return NotAdmitted(position.status());
  v1::Accepted accepted;
  accepted.set_queue_position(*position);
  buffer_.Accept(std::move(accepted));
  return {};
}

void VerifyCall::Run() {
  v1::VerifyResult result;
  Failure failure = verification_.Run(core_, *this, stop_.token(), ticket_.arrival, result);
  if (failure.ok()) {
    answer_ = Verification::LogFieldsOf(result);
    buffer_.PushResult(std::move(result));
  }
  End(std::move(failure));
}

void VerifyCall::Abandon(const absl::Status& why) {
  if (why.code() != absl::StatusCode::kDeadlineExceeded) return End({why, {.reason = "SHUTTING_DOWN"}});
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_UNKNOWN);
  result.set_limit(v1::LIMIT_TIME);
  result.set_reason(std::string(why.message()));
  buffer_.PushResult(std::move(result));
  End({});
}

void VerifyCall::End(Failure failure) {
  ticket_.End(failure, answer_);
  Complete(std::move(failure));
}

std::optional<v1::VerifyEvent> VerifyCall::NextEvent(bool failed) {
  if (failed) return std::nullopt;
  return buffer_.Next(absl::Now());
}

void VerifyCall::OnProgress(v1::Progress progress) {
  buffer_.Push(std::move(progress));
  Pump();
}

void VerifyCall::OnRefuted(const v1::DisjunctsRefuted& refuted) {
  for (const int64_t index : refuted.index()) buffer_.PushRefuted(index);
  Pump();
}

void VerifyCall::OnCancel() {
  stop_.Cancel();
  if (core_.searches().Remove(this))
    End({absl::CancelledError("cancelled while it waited in the queue"), {}});
}

}  // namespace espalier::server
