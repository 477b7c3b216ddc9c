// absl::Status of the engine -> grpc::Status with an ErrorDetail (proto/espalier/v1/error.proto) where more
// is known.
//
//   return ToGrpc(status, {.reason = "INVALID_QUERY", .field = "query"});
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "verifier/verifier.h"

namespace espalier::server {

struct ErrorContext {
  std::string reason = {};                        // as listed in error.proto
  std::string field = {};                         // of the request
  std::vector<UnsupportedInfo> unsupported = {};  // of the model
  double retry_delay_s = 0;
};

// OK stays OK. "line L, column C" in the message is copied into the detail.
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
  grpc::Status ToGrpc() const { return server::ToGrpc(status_, context_); }

 private:
  absl::Status status_;
  ErrorContext context_;
};

}  // namespace espalier::server
