#include "client/batch/file_cache.h"

#include <utility>

#include "client/file_bytes.h"
#include "proto/digest.h"

namespace espalier::client {

absl::StatusOr<LoadedFilePtr> LoadFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFileBytes(path);
  if (!bytes.ok()) return bytes.status();
  const std::string sha256 = proto::Sha256Hex(*bytes);
  return std::make_shared<const LoadedFile>(LoadedFile{*std::move(bytes), sha256});
}

absl::StatusOr<LoadedFilePtr> FileCache::Load(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);  // while reading too: the next slot wants the same file
  std::weak_ptr<const LoadedFile>& known = files_[path];
  if (LoadedFilePtr held = known.lock()) return held;
  absl::StatusOr<LoadedFilePtr> loaded = LoadFile(path);
  if (loaded.ok()) known = *loaded;
  return loaded;
}

}  // namespace espalier::client
