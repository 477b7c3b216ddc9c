#include "client/batch/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/atomic_file.h"
#include "client/file_bytes.h"

namespace espalier::client {
namespace {

constexpr char kVersionKey[] = "espalier_batch_journal";
constexpr int kVersion = 1;

absl::Status ErrnoStatus(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("'", path, "'"));
}

absl::Status CheckHead(const std::string& path, const std::string& line, const std::string& options) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const bool ours = json.is_object() && json.contains(kVersionKey) && json[kVersionKey] == kVersion &&
                    json.contains("options") && json["options"].is_string();
  if (!ours) return absl::FailedPreconditionError(absl::StrCat("'", path, "' is no journal of this version"));
  const std::string earlier = json["options"];
  if (earlier == options) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("'", path, "' was written with the options '", earlier, "', these are '", options,
                   "'; use another --results-dir, or --restart to throw the earlier results away"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path, const std::string& options,
                                                       bool restart) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return ErrnoStatus(path);
  std::unique_ptr<Journal> journal(new Journal(path, descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return absl::AbortedError(absl::StrCat("'", path, "' is in use by another batch"));
  }
  if (restart && ftruncate(descriptor, 0) != 0) return ErrnoStatus(path);
  if (absl::Status status = journal->Load(options); !status.ok()) return status;
  return journal;
}

Journal::~Journal() {
  close(descriptor_);
}

absl::Status Journal::Load(const std::string& options) {
  const absl::StatusOr<std::string> text = ReadFileBytes(path_);
  if (!text.ok()) return text.status();
  size_t at = 0;
  int line_number = 0;
  for (size_t end = text->find('\n'); end != std::string::npos; end = text->find('\n', at)) {
    const std::string line = text->substr(at, end - at);
    at = end + 1;
    if (++line_number == 1) {
      if (absl::Status status = CheckHead(path_, line, options); !status.ok()) return status;
      continue;
    }
    absl::StatusOr<InstanceRecord> record = RecordOfLine(line);
    if (!record.ok())
      return absl::DataLossError(absl::StrCat("'", path_, "' line ", line_number, " is damaged"));
    records_.push_back(*std::move(record));
  }
  if (at < text->size() && ftruncate(descriptor_, static_cast<off_t>(at)) != 0) return ErrnoStatus(path_);
  return line_number == 0 ? Begin(options) : absl::OkStatus();
}

absl::Status Journal::Begin(const std::string& options) {
  if (absl::Status status =
          WriteLine(nlohmann::ordered_json{{kVersionKey, kVersion}, {"options", options}}.dump());
      !status.ok()) {
    return status;
  }
  SyncDirectoryOf(path_);
  return absl::OkStatus();
}

absl::Status Journal::Append(const InstanceRecord& record) {
  const std::string line = RecordLine(record);
  std::lock_guard<std::mutex> lock(mutex_);
  return WriteLine(line);
}

absl::Status Journal::WriteLine(const std::string& line) {
  const std::string bytes = line + "\n";
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(descriptor_, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno != EINTR) return ErrnoStatus(path_);
    if (count > 0) written += static_cast<size_t>(count);
  }
  return fsync(descriptor_) == 0 ? absl::OkStatus() : ErrnoStatus(path_);
}

}  // namespace espalier::client
