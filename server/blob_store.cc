#include "server/blob_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"

namespace espalier::server {

double BlobStore::Now() {
  return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
}

void BlobStore::SortPage(std::vector<BlobInfo>& found, size_t most) {
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), end, found.end(),
                    [](const BlobInfo& a, const BlobInfo& b) { return a.sha256 < b.sha256; });
  found.erase(end, found.end());
}

BlobPtr MemoryBlobStore::Use(Order::iterator item) {
  order_.splice(order_.end(), order_, item);
  item->used_s = Now();
  return item->blob;
}

MemoryBlobStore::Order::iterator MemoryBlobStore::Drop(Order::iterator item) {
  held_ -= static_cast<int64_t>(item->blob->bytes.size());
  index_.erase(item->blob->sha256);
  return order_.erase(item);
}

BlobPtr MemoryBlobStore::Find(std::string_view sha256) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(sha256);
  return found == index_.end() ? nullptr : Use(found->second);
}

BlobPin MemoryBlobStore::Pin(std::string_view sha256) {
  BlobPtr blob = Find(sha256);
  if (blob == nullptr) return {};
  return {blob->sha256, static_cast<int64_t>(blob->bytes.size()), blob};
}

absl::StatusOr<BlobPtr> MemoryBlobStore::Add(std::string sha256, std::string bytes, v1::BlobKind kind) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = index_.find(sha256); found != index_.end()) return Use(found->second);
  const auto size = static_cast<int64_t>(bytes.size());
  ESPALIER_RETURN_IF_ERROR(MakeRoom(size));
  auto blob = std::make_shared<const Blob>(Blob{std::move(sha256), std::move(bytes)});
  const double now = Now();
  order_.push_back({blob, kind, now, now});
  index_.emplace(blob->sha256, std::prev(order_.end()));
  held_ += size;
  return blob;
}

void MemoryBlobStore::NoteKind(std::string_view sha256, v1::BlobKind kind) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(sha256);
  if (found != index_.end() && found->second->kind == v1::BLOB_KIND_UNSPECIFIED) found->second->kind = kind;
}

BlobInfo MemoryBlobStore::InfoOf(const Item& item) {
  return {item.blob->sha256, item.kind,   static_cast<int64_t>(item.blob->bytes.size()),
          item.added_s,      item.used_s, item.blob.use_count() > 1};
}

std::optional<BlobInfo> MemoryBlobStore::Look(std::string_view sha256) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(sha256);
  if (found == index_.end()) return std::nullopt;
  return InfoOf(*found->second);
}

std::vector<BlobInfo> MemoryBlobStore::List(v1::BlobKind kind, const std::string& after, size_t most) const {
  std::vector<BlobInfo> found;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Item& item : order_) {
    if (item.kind == kind && item.blob->sha256 > after) found.push_back(InfoOf(item));
  }
  SortPage(found, most);
  return found;
}

absl::StatusOr<int64_t> MemoryBlobStore::Remove(std::string_view sha256) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(sha256);
  if (found == index_.end()) return absl::NotFoundError("it is not held");
  const BlobInfo info = InfoOf(*found->second);
  if (info.in_use) return absl::FailedPreconditionError("it is in use");
  Drop(found->second);
  return info.size;
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
    it = it->blob.use_count() > 1 ? std::next(it) : Drop(it);
  }
  if (held_ + reserved_ + bytes > quota_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no room for ", bytes, " bytes: ", held_ + reserved_, " of ", quota_, " are in use"));
  }
  return absl::OkStatus();
}

}  // namespace espalier::server
