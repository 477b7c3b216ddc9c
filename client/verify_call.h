// One call of Verify within a time limit that began before it, as `verify` and `batch` make it.
//
//   TimeLimit limit{.start = start, .seconds = 60};
//   VerifyOutcome outcome = CallVerify(connection, request, limit, context, [](const v1::VerifyEvent&) {});
//   if (outcome.answered()) ... outcome.result ... else ... outcome.status ...
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "espalier/v1/verify.pb.h"

namespace espalier::client {

struct TimeLimit {
  absl::Time start;
  std::optional<double> seconds;  // nullopt: the server's default

  absl::Time End() const { return seconds ? start + absl::Seconds(*seconds) : absl::InfiniteFuture(); }
  bool Passed() const { return absl::Now() > End(); }
};

struct VerifyOutcome {
  v1::VerifyResult result;  // also when the limit passed before an answer came
  grpc::Status status;      // of the call
  bool accepted = false;    // the server began to answer

  bool answered() const { return result.answer() != v1::ANSWER_UNSPECIFIED; }
};

// Sends `request` with the time that is left and reads the stream to its end; `on_event` sees every event but
// the result. An outcome that is not answered has a status that is not OK. `context` is a fresh one; another
// thread may cancel it.
VerifyOutcome CallVerify(Connection& connection, v1::VerifyRequest& request, const TimeLimit& limit,
                         grpc::ClientContext& context,
                         const std::function<void(const v1::VerifyEvent&)>& on_event);

// The result of a limit that passed before the server could say so.
v1::VerifyResult TimedOut();

}  // namespace espalier::client
