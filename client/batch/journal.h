// The memory of a batch: every finished instance, one line of JSON each, on the disk before the next one
// counts. A batch that was killed at any moment goes on from it without running a finished instance again.
//
//   absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open("journal.jsonl", "threads=2", false);
//   std::vector<InstanceRecord> known = (*journal)->TakeRecords();
//   absl::Status written = (*journal)->Append(record);
//
// A half-written last line, which is what a kill leaves, is cut off. One process at a time may hold a
// journal. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/batch/record.h"

namespace espalier::client {

class Journal {
 public:
  // `options`: under which all its instances ran. FAILED_PRECONDITION: it was written under others, or by
  // something else; ABORTED: another process holds it; DATA_LOSS names the line that is damaged.
  // `restart`: what it held is thrown away.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path, const std::string& options,
                                                       bool restart);
  ~Journal();
  Journal(const Journal&) = delete;

  // What it held when it was opened.
  std::vector<InstanceRecord> TakeRecords() { return std::move(records_); }

  // Returns when the line is on the disk.
  absl::Status Append(const InstanceRecord& record);

 private:
  Journal(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  absl::Status Load(const std::string& options);
  absl::Status Begin(const std::string& options);
  absl::Status WriteLine(const std::string& line);

  const std::string path_;
  std::mutex mutex_;
  int descriptor_;
  std::vector<InstanceRecord> records_;
};

}  // namespace espalier::client
