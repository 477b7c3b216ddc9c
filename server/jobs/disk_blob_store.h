// A BlobStore whose blobs are files that survive the server.
//
// A file is written beside its place, synchronised, renamed into it, and only then entered into the index: a
// name in blobs/ always stands for a whole file. Its digest is checked again whenever it is read; a file that
// changed on disk is dropped. What is in use is kept in memory; a part of the quota is spent on keeping
// recently used bytes there as well.
//
//   auto store = DiskBlobStore::Open(directory.database(), directory.blobs(), quota);
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/blob_store.h"
#include "server/jobs/database.h"

namespace espalier::server {

class DiskBlobStore final : public BlobStore {
 public:
  // Brings index and folder into agreement: what a killed server left half done is removed.
  static absl::StatusOr<std::unique_ptr<DiskBlobStore>> Open(Database& database, const std::string& folder,
                                                             int64_t quota_bytes);

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
  struct Entry {
    v1::BlobKind kind = v1::BLOB_KIND_UNSPECIFIED;
    int64_t size = 0;
    double added_s = 0;                // since 1970; 0: written by a version that did not say
    double used_s = 0;                 // since 1970
    double written_s = 0;              // used_s in the index; it may lag by kIndexLag
    std::weak_ptr<const Blob> loaded;  // its bytes, when they are in memory
    std::weak_ptr<const void> pin;     // alive while the blob is in use
  };

  DiskBlobStore(Database& database, std::string folder, int64_t quota_bytes)
      : database_(database), folder_(std::move(folder)), quota_(quota_bytes), recent_(quota_bytes / 16) {}

  absl::Status ReadIndex();
  absl::Status AgreeWithFolder();
  void Release(int64_t bytes) override;
  std::string PathOf(std::string_view sha256) const { return folder_ + "/" + std::string(sha256); }
  absl::Status WriteFile(const std::string& sha256, const std::string& bytes);
  BlobPtr ReadFile(const std::string& sha256);
  // These require mutex_.
  void MarkUsed(const std::string& sha256, Entry& entry);
  absl::Status MakeRoom(int64_t bytes);
  absl::Status Drop(const std::string& sha256);  // the entry is gone even where this fails
  static BlobInfo InfoOf(const std::string& sha256, const Entry& entry);
  static std::shared_ptr<const void> PinOf(Entry& entry);
  // A pointer to the bytes that also pins the file.
  static BlobPtr HandOut(Entry& entry, BlobPtr bytes);
  BlobPtr Hold(const std::string& sha256, std::string bytes);

  Database& database_;
  const std::string folder_;
  const int64_t quota_;
  mutable std::mutex mutex_;
  int64_t held_ = 0;       // bytes of the files
  int64_t reserved_ = 0;   // bytes of uploads in progress
  int64_t temporary_ = 0;  // names of files that are being written
  std::unordered_map<std::string, Entry> entries_;
  MemoryBlobStore recent_;
};

}  // namespace espalier::server
