#include "server/jobs/job_errors.h"

#include "absl/strings/str_cat.h"

namespace espalier::server {

Failure StoreFailure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return {};
    case absl::StatusCode::kNotFound:
      return {status, {.reason = "UNKNOWN_JOB", .field = "job_id"}};
    case absl::StatusCode::kFailedPrecondition:
      return {status, {.reason = "JOB_NOT_FINISHED", .field = "job_id"}};
    case absl::StatusCode::kInvalidArgument:
      return {status, {.reason = "INVALID_REQUEST"}};
    default:
      return {status, {.reason = "STORE_FAILED", .retry_delay_s = kRetryDelaySeconds}};
  }
}

Failure BadJobRequest(const std::string& field, const std::string& message) {
  return {absl::InvalidArgumentError(absl::StrCat(field, ": ", message)),
          {.reason = "INVALID_REQUEST", .field = field}};
}

}  // namespace espalier::server
