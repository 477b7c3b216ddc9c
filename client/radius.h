// Numbers as people write them for --eps: "0.01", "2/255".
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace espalier::client {

// A non-negative finite decimal or a fraction of two. INVALID_ARGUMENT otherwise.
absl::StatusOr<double> ParseRadius(const std::string& text);

}  // namespace espalier::client
