// Uploaded files by SHA-256 digest, within a byte quota.
//
// A blob that somebody holds or has pinned (a request in flight, a job that waits or runs) is never dropped;
// the others leave in the order in which they were last asked for. Thread-safe.
//
//   MemoryBlobStore store(int64_t{1} << 30);           // or a DiskBlobStore (disk_blob_store.h)
//   auto blob = store.Add(digest, std::move(bytes), kind);   // the same pointer when it was known
//   store.Find(digest);                                // nullptr when it is not held
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "espalier/v1/blob.pb.h"

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

// What is known of a blob beside its bytes.
struct BlobInfo {
  std::string sha256;
  v1::BlobKind kind = v1::BLOB_KIND_UNSPECIFIED;  // unspecified: nobody said
  int64_t size = 0;
  double added_s = 0;  // since 1970; 0: not known
  double used_s = 0;
  bool in_use = false;
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
  virtual absl::StatusOr<BlobPtr> Add(std::string sha256, std::string bytes, v1::BlobKind kind) = 0;

  // Says what a blob is, where nobody has said it.
  virtual void NoteKind(std::string_view sha256, v1::BlobKind kind) = 0;

  // Looking counts as no use. nullopt when it is not held.
  virtual std::optional<BlobInfo> Look(std::string_view sha256) const = 0;
  // Those of a kind by digest, from the first one after `after` on, at most `most`.
  virtual std::vector<BlobInfo> List(v1::BlobKind kind, const std::string& after, size_t most) const = 0;

  // Returns its size. NOT_FOUND; FAILED_PRECONDITION when it is in use; INTERNAL when it may come back.
  virtual absl::StatusOr<int64_t> Remove(std::string_view sha256) = 0;

  // Makes room for `bytes` more. RESOURCE_EXHAUSTED when blobs in use and other uploads fill the quota.
  virtual absl::StatusOr<Reservation> Reserve(int64_t bytes) = 0;

  virtual int64_t bytes_held() const = 0;

 protected:
  virtual void Release(int64_t bytes) = 0;

  static double Now();  // seconds since 1970
  static void SortPage(std::vector<BlobInfo>& found, size_t most);
};

class MemoryBlobStore final : public BlobStore {
 public:
  explicit MemoryBlobStore(int64_t quota_bytes) : quota_(quota_bytes) {}

  BlobPtr Find(std::string_view sha256) override;
  BlobPin Pin(std::string_view sha256) override;
  absl::StatusOr<BlobPtr> Add(std::string sha256, std::string bytes, v1::BlobKind kind) override;
  void NoteKind(std::string_view sha256, v1::BlobKind kind) override;
  std::optional<BlobInfo> Look(std::string_view sha256) const override;
  std::vector<BlobInfo> List(v1::BlobKind kind, const std::string& after, size_t most) const override;
  absl::StatusOr<int64_t> Remove(std::string_view sha256) override;
  absl::StatusOr<Reservation> Reserve(int64_t bytes) override;
  int64_t bytes_held() const override;

 private:
  struct Item {
    BlobPtr blob;
    v1::BlobKind kind;
    double added_s, used_s;
  };
  using Order = std::list<Item>;  // least recently used first

  static BlobInfo InfoOf(const Item& item);
  BlobPtr Use(Order::iterator item);           // requires mutex_
  Order::iterator Drop(Order::iterator item);  // requires mutex_; returns the next one

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
