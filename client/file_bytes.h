// Files as bytes. Models, queries and arrays may be gzip-compressed; they travel uncompressed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace espalier::client {

// The file's content, decompressed when it starts with the gzip magic number. NOT_FOUND, PERMISSION_DENIED,
// INVALID_ARGUMENT (broken gzip data), RESOURCE_EXHAUSTED (more than 2 GiB).
absl::StatusOr<std::string> ReadFileBytes(const std::string& path);

absl::Status WriteFileBytes(const std::string& path, const std::string& bytes);

}  // namespace espalier::client
