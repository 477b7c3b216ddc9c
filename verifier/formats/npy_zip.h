// The part of the ZIP format that numpy's .npz archives use: a central directory (with ZIP64 sizes), entries
// stored or deflated, one file, no encryption.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::formats {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t packed_bytes = 0;
  uint64_t bytes = 0;
  uint64_t offset = 0;  // of the local header
};

// INVALID_ARGUMENT when the bytes are no complete archive, UNIMPLEMENTED for encryption or another
// compression.
absl::StatusOr<std::vector<ZipEntry>> ListZip(std::string_view archive);

// RESOURCE_EXHAUSTED when the entry unpacks to more than `limit` bytes; INVALID_ARGUMENT when it is damaged.
absl::StatusOr<std::string> ExtractZip(std::string_view archive, const ZipEntry& entry, uint64_t limit);

}  // namespace espalier::formats
