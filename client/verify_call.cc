#include "client/verify_call.h"

#include <algorithm>
#include <utility>

namespace espalier::client {
namespace {

// The search is asked to stop this much before the limit, so that its answer and its statistics arrive in
// time.
double Margin(double timeout_s) {
  return std::clamp(0.02 * timeout_s, 0.0, 0.25);
}

// The server keeps the limit; on a busy machine its answer may still be on its way when it has passed.
constexpr absl::Duration kLateAnswer = absl::Milliseconds(500);

}  // namespace

v1::VerifyResult TimedOut() {
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_UNKNOWN);
  result.set_limit(v1::LIMIT_TIME);
  result.set_reason("the time limit passed before the server answered");
  return result;
}

VerifyOutcome CallVerify(Connection& connection, v1::VerifyRequest& request, const TimeLimit& limit,
                         grpc::ClientContext& context,
                         const std::function<void(const v1::VerifyEvent&)>& on_event) {
  VerifyOutcome outcome;
  connection.Prepare(context);
  if (limit.seconds) {
    const double left = absl::ToDoubleSeconds(limit.End() - absl::Now()) - Margin(*limit.seconds);
    if (left <= 0) {
      outcome.result = TimedOut();
      return outcome;
    }
    request.mutable_options()->set_timeout_s(left);
    context.set_deadline(absl::ToChronoTime(limit.End() + kLateAnswer));
  }
  const auto reader = connection.stub().Verify(&context, request);
  v1::VerifyEvent event;
  while (reader->Read(&event)) {
    outcome.accepted = true;
    if (event.has_result()) {
      outcome.result = std::move(*event.mutable_result());
    } else {
      on_event(event);
    }
  }
  outcome.status = reader->Finish();
  if (outcome.answered()) return outcome;
  if (outcome.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    outcome.result = TimedOut();
  } else if (outcome.status.ok()) {
    outcome.status = {grpc::StatusCode::INTERNAL, "the server ended without a result"};
  }
  return outcome;
}

}  // namespace espalier::client
