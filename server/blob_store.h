// Uploaded files by SHA-256 digest, within a byte quota.
//
// A blob that somebody holds or has pinned (a request in flight, a job that waits or runs) is never dropped;
// the others leave in the order in which they were last asked for. Thread-safe.
//
//   MemoryBlobStore store(int64_t{1} << 30);           // or a DiskBlobStore (disk_blob_store.h)
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
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace espalier::server {

struct Blob {
  std::string sha256;
  std::string bytes;
};
using BlobPtr = std::shared_ptr<const Blob>;

// While a copy exists, the store keeps the blob; its bytes need not be in memory.
struct BlobPin {
  std::string sha256;
  int64_t size = 0;
  std::shared_ptr<const void> hold;
};

class BlobStore {
 public:
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

  virtual ~BlobStore() = default;

  // The blob, marked as used now; nullptr when it is not held.
  virtual BlobPtr Find(std::string_view sha256) = 0;

  // The same without the bytes; `hold` is null when it is not held.
  virtual BlobPin Pin(std::string_view sha256) = 0;

  // `sha256` must be the digest of `bytes`; the caller has checked it. RESOURCE_EXHAUSTED when blobs in use
  // fill the quota; INTERNAL when it cannot be written.
  virtual absl::StatusOr<BlobPtr> Add(std::string sha256, std::string bytes) = 0;

  // Makes room for `bytes` more. RESOURCE_EXHAUSTED when blobs in use and other uploads fill the quota.
  virtual absl::StatusOr<Reservation> Reserve(int64_t bytes) = 0;

  virtual int64_t bytes_held() const = 0;

 protected:
  virtual void Release(int64_t bytes) = 0;
};

class MemoryBlobStore final : public BlobStore {
 public:
  explicit MemoryBlobStore(int64_t quota_bytes) : quota_(quota_bytes) {}

  BlobPtr Find(std::string_view sha256) override;
  BlobPin Pin(std::string_view sha256) override;
  absl::StatusOr<BlobPtr> Add(std::string sha256, std::string bytes) override;
  absl::StatusOr<Reservation> Reserve(int64_t bytes) override;
  int64_t bytes_held() const override;

 private:
  using Order = std::list<BlobPtr>;  // least recently used first

  void Release(int64_t bytes) override;
  absl::Status MakeRoom(int64_t bytes);  // requires mutex_

  const int64_t quota_;
  mutable std::mutex mutex_;
  int64_t held_ = 0;      // bytes of the blobs in order_
  int64_t reserved_ = 0;  // bytes of uploads in progress
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> index_;  // keys live in the blobs
};

}  // namespace espalier::server
