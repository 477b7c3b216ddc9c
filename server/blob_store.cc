#include "server/blob_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"

namespace espalier::server {

BlobPtr MemoryBlobStore::Find(std::string_view sha256) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(sha256);
  if (found == index_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second);
  return *found->second;
}

BlobPin MemoryBlobStore::Pin(std::string_view sha256) {
  BlobPtr blob = Find(sha256);
  if (blob == nullptr) return {};
  return {blob->sha256, static_cast<int64_t>(blob->bytes.size()), blob};
}

absl::StatusOr<BlobPtr> MemoryBlobStore::Add(std::string sha256, std::string bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = index_.find(sha256); found != index_.end()) {
    order_.splice(order_.end(), order_, found->second);
    return *found->second;
  }
  const auto size = static_cast<int64_t>(bytes.size());
  ESPALIER_RETURN_IF_ERROR(MakeRoom(size));
  auto blob = std::make_shared<const Blob>(Blob{std::move(sha256), std::move(bytes)});
  order_.push_back(blob);
  index_.emplace(blob->sha256, std::prev(order_.end()));
  held_ += size;
  return blob;
}

absl::StatusOr<BlobStore::Reservation> MemoryBlobStore::Reserve(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  ESPALIER_RETURN_IF_ERROR(MakeRoom(bytes));
  reserved_ += bytes;
  return Reservation(this, bytes);
}

int64_t MemoryBlobStore::bytes_held() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return held_;
}

void MemoryBlobStore::Release(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  reserved_ -= bytes;
}

absl::Status MemoryBlobStore::MakeRoom(int64_t bytes) {
  // Copies of a pointer are made only under the mutex or by somebody who already holds one, so a count of one
  // here cannot grow while the blob is dropped.
  for (auto it = order_.begin(); it != order_.end() && held_ + reserved_ + bytes > quota_;) {
    if (it->use_count() > 1) {
      ++it;
      continue;
    }
    held_ -= static_cast<int64_t>((*it)->bytes.size());
    index_.erase((*it)->sha256);
    it = order_.erase(it);
  }
  if (held_ + reserved_ + bytes > quota_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for ", bytes, " bytes: ", held_ + reserved_, " of ", quota_, " are in use"));
  }
  return absl::OkStatus();
}

}  // namespace espalier::server
