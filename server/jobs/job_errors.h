// Errors of the calls on jobs.
#pragma once

#include <string>

#include "server/errors.h"

namespace espalier::server {

// What a JobStore said, with its reason: UNKNOWN_JOB, JOB_NOT_FINISHED, INVALID_REQUEST, STORE_FAILED.
Failure StoreFailure(const absl::Status& status);

// INVALID_REQUEST for `field`; the message begins with its name.
Failure BadJobRequest(const std::string& field, const std::string& message);

}  // namespace espalier::server
