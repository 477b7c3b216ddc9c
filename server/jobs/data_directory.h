// The folder in which a server keeps what must survive it: espalier.db (jobs, events, results, the index of
// blobs), blobs/ (files by digest), checkpoints/ (searches without an answer, by job), lock.
//
//   auto directory = DataDirectory::Open("/var/lib/espalier");   // created, for its owner only, when it does
//   not exist
//
// One server at a time: the lock is the kernel's, so it ends with the process however that ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/database.h"

namespace espalier::server {

class DataDirectory {
 public:
  // FAILED_PRECONDITION: another server uses it; INTERNAL: it cannot be made or written.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path);
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  Database& database() { return *database_; }
  std::string blobs() const { return path_ + "/blobs"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;
  std::unique_ptr<Database> database_;
};

}  // namespace espalier::server
