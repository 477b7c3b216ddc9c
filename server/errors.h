// absl::Status of the engine -> grpc::Status with an ErrorDetail (proto/espalier/v1/error.proto) where more
// is known.
//
//   return ToGrpc(status, {.reason = "INVALID_QUERY", .field = "query"});
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "espalier/v1/error.pb.h"
#include "verifier/verifier.h"

namespace espalier::server {

inline constexpr double kRetryDelaySeconds = 1.0;  // advised when there is no room now

struct ErrorContext {
  std::string reason = {};                        // as listed in error.proto
  std::string field = {};                         // of the request
  std::vector<UnsupportedInfo> unsupported = {};  // of the model
  double retry_delay_s = 0;
};

// What went wrong as a message: code, text and one ErrorDetail. "line L, column C" in the text is copied into
// the detail.
v1::StatusDetails ToDetails(const absl::Status& status, const ErrorContext& context = {});

// OK stays OK.
grpc::Status ToGrpc(const absl::Status& status, const ErrorContext& context = {});

// An error that remembers its context while it travels outward: the first one that went wrong.
class Failure {
 public:
  Failure() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a plain Status is a failure without context
  Failure(absl::Status status, ErrorContext context = {})
      : status_(std::move(status)), context_(std::move(context)) {}

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }
  const ErrorContext& context() const { return context_; }
  v1::StatusDetails ToDetails() const { return server::ToDetails(status_, context_); }
  grpc::Status ToGrpc() const { return server::ToGrpc(status_, context_); }

 private:
  absl::Status status_;
  ErrorContext context_;
};

// The failure that ToDetails described.
Failure FromDetails(const v1::StatusDetails& details);

// What WorkQueue::Submit refused: full, or closed.
Failure NotAdmitted(const absl::Status& status);

}  // namespace espalier::server
