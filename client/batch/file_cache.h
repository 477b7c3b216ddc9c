// Files with their digests. Models are shared: many instances in a row ask the same one, and several slots at
// a time; the bytes live as long as somebody holds them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

namespace espalier::client {

struct LoadedFile {
  std::string bytes;  // decompressed
  std::string sha256;
};
using LoadedFilePtr = std::shared_ptr<const LoadedFile>;

absl::StatusOr<LoadedFilePtr> LoadFile(const std::string& path);

// Thread-safe.
class FileCache {
 public:
  // LoadFile, without reading what somebody holds.
  absl::StatusOr<LoadedFilePtr> Load(const std::string& path);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const LoadedFile>> files_;
};

}  // namespace espalier::client
