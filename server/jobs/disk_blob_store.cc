#include "server/jobs/disk_blob_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/digest.h"
#include "server/log.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr double kIndexLag_s = 60;  // a blob in constant use is not written to the index at every use
constexpr const char* kUnfinished = ".part";

absl::Status SystemError(const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrCat("'", path, "': ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

absl::Status WriteAll(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(file) == 0 ? absl::OkStatus() : SystemError(path);
}

absl::Status SyncFolder(const std::string& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return SystemError(path);
  const absl::Status status = fsync(folder) == 0 ? absl::OkStatus() : SystemError(path);
  close(folder);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskBlobStore>> DiskBlobStore::Open(Database& database,
                                                                   const std::string& folder,
                                                                   int64_t quota_bytes) {
  std::unique_ptr<DiskBlobStore> store(new DiskBlobStore(database, folder, quota_bytes));
  ESPALIER_RETURN_IF_ERROR(store->ReadIndex());
  ESPALIER_RETURN_IF_ERROR(store->AgreeWithFolder());
  return store;
}

absl::Status DiskBlobStore::ReadIndex() {
  Database::Session session(database_);
  Statement rows(session, "SELECT sha256, size, used_s, kind, added_s FROM blobs");
  while (rows.Next()) {
    Entry& entry = entries_[rows.BytesAt(0)];
    entry.size = rows.IntegerAt(1);
    entry.used_s = entry.written_s = rows.RealAt(2);
    entry.kind = static_cast<v1::BlobKind>(rows.IntegerAt(3));
    entry.added_s = rows.RealAt(4);
  }
  return session.status();
}

absl::Status DiskBlobStore::AgreeWithFolder() {
  std::error_code error;
  std::unordered_map<std::string, int64_t> files;
  for (const auto& file : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = file.path().filename();
    if (proto::IsSha256Hex(name)) {
      files[name] = static_cast<int64_t>(file.file_size(error));
    } else if (absl::EndsWith(name, kUnfinished)) {
      std::filesystem::remove(file.path(), error);
    }
  }
  if (error) return absl::InternalError(absl::StrCat("'", folder_, "': ", error.message()));
  Database::Session session(database_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto file = files.find(it->first);
    if (file != files.end() && file->second == it->second.size) {
      ++it;
      continue;
    }
    Statement(session, "DELETE FROM blobs WHERE sha256=?").Text(it->first).Run();
    it = entries_.erase(it);
  }
  for (const auto& [sha256, size] : files) {
    if (entries_.count(sha256) > 0) continue;
    // Renamed into its place when the server ended before the index knew.
    Entry& entry = entries_[sha256];
    entry.size = size;
    entry.used_s = entry.written_s = Now();
    Statement insert(session, "INSERT INTO blobs(sha256, size, used_s) VALUES(?, ?, ?)");
    insert.Text(sha256).Integer(size).Real(entry.used_s).Run();
  }
  for (const auto& [sha256, entry] : entries_) held_ += entry.size;
  return session.Commit();
}

void DiskBlobStore::MarkUsed(const std::string& sha256, Entry& entry) {
  entry.used_s = Now();
  if (entry.used_s - entry.written_s < kIndexLag_s) return;
  entry.written_s = entry.used_s;
  Database::Session session(database_);
  Statement(session, "UPDATE blobs SET used_s=? WHERE sha256=?").Real(entry.used_s).Text(sha256).Run();
  if (absl::Status status = session.Commit(); !status.ok())  // only the order of eviction suffers
    Log(LogLevel::kWarning, {{"event", "blob-index"}, {"error", std::string(status.message())}});
}

std::shared_ptr<const void> DiskBlobStore::PinOf(Entry& entry) {
  std::shared_ptr<const void> pin = entry.pin.lock();
  if (pin == nullptr) entry.pin = pin = std::make_shared<char>();
  return pin;
}

BlobPtr DiskBlobStore::HandOut(Entry& entry, BlobPtr bytes) {
  struct Use {
    BlobPtr bytes;
    std::shared_ptr<const void> pin;
  };
  const Blob* const blob = bytes.get();
  return {std::make_shared<const Use>(Use{std::move(bytes), PinOf(entry)}), blob};
}

BlobPtr DiskBlobStore::Hold(const std::string& sha256, std::string bytes) {
  // What does not fit among the recent bytes lives as long as somebody holds it.
  absl::StatusOr<BlobPtr> recent = static_cast<int64_t>(bytes.size()) <= quota_ / 64
                                       ? recent_.Add(sha256, bytes, v1::BLOB_KIND_UNSPECIFIED)
                                       : absl::ResourceExhaustedError("large");
  BlobPtr blob =
      recent.ok() ? *std::move(recent) : std::make_shared<const Blob>(Blob{sha256, std::move(bytes)});
  Entry& entry = entries_[sha256];
  entry.loaded = blob;
  return HandOut(entry, std::move(blob));
}

BlobPtr DiskBlobStore::ReadFile(const std::string& sha256) {
  std::ifstream file(PathOf(sha256), std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  std::string bytes = std::move(content).str();
  if (!file || proto::Sha256Hex(bytes) != sha256) return nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.count(sha256) == 0) return nullptr;
  return Hold(sha256, std::move(bytes));
}

BlobPtr DiskBlobStore::Find(std::string_view digest) {
  const std::string sha256(digest);
  std::shared_ptr<const void> pin;  // while the file is read
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = entries_.find(sha256);
    if (found == entries_.end()) return nullptr;
    MarkUsed(sha256, found->second);
    if (BlobPtr blob = found->second.loaded.lock(); blob != nullptr) {
      recent_.Find(sha256);
      return HandOut(found->second, std::move(blob));
    }
    pin = PinOf(found->second);
  }
  if (BlobPtr blob = ReadFile(sha256); blob != nullptr) return blob;
  Log(LogLevel::kError, {{"event", "blob-lost"}, {"sha256", sha256}});
  std::lock_guard<std::mutex> lock(mutex_);
  (void)Drop(sha256);
  return nullptr;
}

BlobPin DiskBlobStore::Pin(std::string_view digest) {
  std::string sha256(digest);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return {};
  Entry& entry = found->second;
  MarkUsed(sha256, entry);
  return {std::move(sha256), entry.size, PinOf(entry)};
}

absl::Status DiskBlobStore::WriteFile(const std::string& sha256, const std::string& bytes) {
  std::string temporary;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    temporary = absl::StrCat(PathOf(sha256), ".", ++temporary_, kUnfinished);
  }
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(temporary);
  absl::Status status = WriteAll(file, bytes, temporary);
  if (close(file) != 0 && status.ok()) status = SystemError(temporary);
  if (status.ok() && rename(temporary.c_str(), PathOf(sha256).c_str()) != 0) status = SystemError(temporary);
  if (status.ok()) status = SyncFolder(folder_);
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::StatusOr<BlobPtr> DiskBlobStore::Add(std::string sha256, std::string bytes, v1::BlobKind kind) {
  if (BlobPtr known = Find(sha256); known != nullptr) return known;
  const auto size = static_cast<int64_t>(bytes.size());
  // The room is taken before the file is written, without the lock.
  ESPALIER_ASSIGN_OR_RETURN(const Reservation room, Reserve(size));
  ESPALIER_RETURN_IF_ERROR(WriteFile(sha256, bytes));
  std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.count(sha256) == 0) {
    const double now = Now();
    Database::Session session(database_);
    Statement insert(
        session, "INSERT OR REPLACE INTO blobs(sha256, size, used_s, kind, added_s) VALUES(?, ?, ?, ?, ?)");
    insert.Text(sha256).Integer(size).Real(now).Integer(kind).Real(now).Run();
    ESPALIER_RETURN_IF_ERROR(session.Commit());
    Entry& entry = entries_[sha256];
    entry.kind = kind;
    entry.size = size;
    entry.added_s = entry.used_s = entry.written_s = now;
    held_ += size;
  }
  return Hold(sha256, std::move(bytes));
}

void DiskBlobStore::NoteKind(std::string_view digest, v1::BlobKind kind) {
  const std::string sha256(digest);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end() || found->second.kind != v1::BLOB_KIND_UNSPECIFIED) return;
  found->second.kind = kind;
  Database::Session session(database_);
  Statement(session, "UPDATE blobs SET kind=? WHERE sha256=?").Integer(kind).Text(sha256).Run();
  if (absl::Status status = session.Commit(); !status.ok())  // it is said again with the next use
    Log(LogLevel::kWarning, {{"event", "blob-index"}, {"error", std::string(status.message())}});
}

BlobInfo DiskBlobStore::InfoOf(const std::string& sha256, const Entry& entry) {
  return {sha256, entry.kind, entry.size, entry.added_s, entry.used_s, !entry.pin.expired()};
}

std::optional<BlobInfo> DiskBlobStore::Look(std::string_view digest) const {
  const std::string sha256(digest);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return std::nullopt;
  return InfoOf(sha256, found->second);
}

std::vector<BlobInfo> DiskBlobStore::List(v1::BlobKind kind, const std::string& after, size_t most) const {
  std::vector<BlobInfo> infos;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [sha256, entry] : entries_) {
    if (entry.kind == kind && sha256 > after) infos.push_back(InfoOf(sha256, entry));
  }
  SortPage(infos, most);
  return infos;
}

absl::StatusOr<int64_t> DiskBlobStore::Remove(std::string_view digest) {
  const std::string sha256(digest);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return absl::NotFoundError("it is not held");
  if (!found->second.pin.expired()) return absl::FailedPreconditionError("it is in use");
  const int64_t size = found->second.size;
  ESPALIER_RETURN_IF_ERROR(Drop(sha256));
  (void)recent_.Remove(sha256);
  // Without this the file could be found again after a loss of power.
  ESPALIER_RETURN_IF_ERROR(SyncFolder(folder_));
  return size;
}

absl::StatusOr<BlobStore::Reservation> DiskBlobStore::Reserve(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  ESPALIER_RETURN_IF_ERROR(MakeRoom(bytes));
  reserved_ += bytes;
  return Reservation(this, bytes);
}

int64_t DiskBlobStore::bytes_held() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return held_;
}

void DiskBlobStore::Release(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  reserved_ -= bytes;
}

absl::Status DiskBlobStore::Drop(const std::string& sha256) {
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return absl::OkStatus();
  held_ -= found->second.size;
  entries_.erase(found);
  // The index first: a file without an entry is found again at the next start, an entry without a file is not
  // whole.
  Database::Session session(database_);
  Statement(session, "DELETE FROM blobs WHERE sha256=?").Text(sha256).Run();
  absl::Status status = session.Commit();
  if (!status.ok())
    Log(LogLevel::kWarning, {{"event", "blob-index"}, {"error", std::string(status.message())}});
  unlink(PathOf(sha256).c_str());
  return status;
}

absl::Status DiskBlobStore::MakeRoom(int64_t bytes) {
  if (held_ + reserved_ + bytes <= quota_) return absl::OkStatus();
  std::vector<std::pair<double, std::string>> unused;  // by the time of their last use
  for (const auto& [sha256, entry] : entries_) {
    if (entry.pin.expired()) unused.emplace_back(entry.used_s, sha256);
  }
  std::sort(unused.begin(), unused.end());
  for (const auto& [used, sha256] : unused) {
    if (held_ + reserved_ + bytes <= quota_) break;
    (void)Drop(sha256);
  }
  if (held_ + reserved_ + bytes <= quota_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("no room for ", bytes, " bytes: ", held_ + reserved_, " of ", quota_, " are in use"));
}

}  // namespace espalier::server
