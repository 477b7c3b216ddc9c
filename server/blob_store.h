// Uploaded files by SHA-256 digest, in memory, within a byte quota.
//
// A blob that somebody holds (a request in flight, a loaded model) is never dropped; the others leave in the
// order in which they were last asked for. Thread-safe.
//
//   BlobStore store(int64_t{1} << 30);
//   auto blob = store.Add(digest, std::move(bytes));   // the same pointer when it was known
//   store.Find(digest);                                // nullptr when it is not held
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace espalier::server {

struct Blob {
  std::string sha256;
  std::string bytes;
};
using BlobPtr = std::shared_ptr<const Blob>;

class BlobStore {
 public:
  explicit BlobStore(int64_t quota_bytes) : quota_(quota_bytes) {}

  // Space that an upload in progress occupies until it is destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(BlobStore* store, int64_t bytes) : store_(store), bytes_(bytes) {}
    Reservation(Reservation&& other) noexcept { *this = std::move(other); }
    Reservation& operator=(Reservation&& other) noexcept {
      std::swap(store_, other.store_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Reservation() {
      if (store_ != nullptr) store_->Release(bytes_);
    }

   private:
    BlobStore* store_ = nullptr;
    int64_t bytes_ = 0;
  };

  // The blob, marked as used now; nullptr when it is not held.
  BlobPtr Find(std::string_view sha256);

  // `sha256` must be the digest of `bytes`; the caller has checked it. RESOURCE_EXHAUSTED when blobs in use
  // fill the quota.
  absl::StatusOr<BlobPtr> Add(std::string sha256, std::string bytes);

  // Makes room for `bytes` more. RESOURCE_EXHAUSTED when blobs in use and other uploads fill the quota.
  absl::StatusOr<Reservation> Reserve(int64_t bytes);

  int64_t quota() const { return quota_; }
  int64_t bytes_held() const;

 private:
  using Order = std::list<BlobPtr>;  // least recently used first

  void Release(int64_t bytes);
  absl::Status MakeRoom(int64_t bytes);  // requires mutex_

  const int64_t quota_;
  mutable std::mutex mutex_;
  int64_t held_ = 0;      // bytes of the blobs in order_
  int64_t reserved_ = 0;  // bytes of uploads in progress
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> index_;  // keys live in the blobs
};

}  // namespace espalier::server
