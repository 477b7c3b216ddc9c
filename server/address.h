// Where the server listens.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace espalier::server {

// OK for "unix:/path", and for "HOST:PORT" with a loopback host (127.x.y.z, ::1, localhost). Anything else is
// INVALID_ARGUMENT unless `protected_or_allowed`: TLS is on, or the operator asked for it.
absl::Status CheckListenAddress(const std::string& address, bool protected_or_allowed);

// For "unix:/path": FAILED_PRECONDITION when another server answers there for two seconds (gRPC itself would
// silently take its path away), OK as soon as nothing does. OK for every other address.
absl::Status CheckNotServed(const std::string& address);

}  // namespace espalier::server
