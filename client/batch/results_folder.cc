#include "client/batch/results_folder.h"

#include <filesystem>
#include <map>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/atomic_file.h"
#include "client/batch/file_cache.h"
#include "client/file_bytes.h"

namespace espalier::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 180;  // file systems end at 255

std::string Safe(const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.';
    safe += plain ? c : '_';
  }
  return safe;
}

std::string ResultName(size_t instance, const InstanceRecord& record) {
  const std::string name =
      absl::StrFormat("%04d_%s_%s", instance + 1, Safe(Stem(record.model)), Safe(Stem(record.query)));
  return name.substr(0, kLongestName) + ".txt";
}

// Digests by path; empty for what cannot be read.
class Digests {
 public:
  const std::string& Of(const std::string& path) {
    const auto [entry, is_new] = known_.try_emplace(path);
    if (is_new) {
      const absl::StatusOr<LoadedFilePtr> file = LoadFile(path);
      if (file.ok()) entry->second = (*file)->sha256;
    }
    return entry->second;
  }

 private:
  std::map<std::string, std::string> known_;
};

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make the folder '", path, "'"));
}

// Whether a collected record would say nothing new.
bool Covers(const InstanceRecord& own, const InstanceRecord& other) {
  const bool same_files = own.model_sha256 == other.model_sha256 && own.query_sha256 == other.query_sha256;
  return same_files && (own.result != "error" || other.result == "error");
}

}  // namespace

ResultsFolder::Line ResultsFolder::LineOf(const InstanceRecord& record) {
  return {record.category, record.model, record.query, record.timeout_s};
}

ResultsFolder::ResultsFolder(std::string path, std::unique_ptr<Journal> journal)
    : path_(std::move(path)), journal_(std::move(journal)) {
  for (InstanceRecord& record : journal_->TakeRecords()) known_[KeyOf(record)] = std::move(record);
}

absl::StatusOr<std::unique_ptr<ResultsFolder>> ResultsFolder::Open(const std::string& path,
                                                                   const std::string& options, bool restart) {
  if (absl::Status made = MakeFolder(path + "/instances"); !made.ok()) return made;
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(path + "/journal.jsonl", options, restart);
  if (!journal.ok()) return journal.status();
  return std::unique_ptr<ResultsFolder>(new ResultsFolder(path, *std::move(journal)));
}

absl::Status ResultsFolder::Collect(const std::string& path, const std::string& options) {
  const std::string file = path + "/journal.jsonl";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return absl::NotFoundError(absl::StrCat("'", path, "' holds no results"));
  const absl::StatusOr<std::unique_ptr<Journal>> other = Journal::Open(file, options, /*restart=*/false);
  if (!other.ok()) return other.status();
  for (InstanceRecord& record : (*other)->TakeRecords()) {
    const auto own = known_.find(KeyOf(record));
    if (own != known_.end() && Covers(own->second, record)) continue;
    if (absl::Status kept = journal_->Append(record); !kept.ok()) return kept;
    known_[KeyOf(record)] = std::move(record);
  }
  return absl::OkStatus();
}

std::deque<Task> ResultsFolder::Match(const std::vector<Instance>& instances,
                                      const std::vector<double>& timeouts, bool retry_errors) {
  Digests digests;
  std::map<Line, int64_t> seen;
  std::deque<Task> left;
  records_.assign(instances.size(), std::nullopt);
  for (size_t i = 0; i < instances.size(); ++i) {
    const Line line = LineOf(RecordOf(instances[i], timeouts[i], 0));
    Task task{.instance = i, .timeout_s = timeouts[i], .occurrence = seen[line]++};
    const auto found = known_.find({line, task.occurrence});
    const bool usable = found != known_.end() && !(retry_errors && found->second.result == "error") &&
                        found->second.model_sha256 == digests.Of(instances[i].model_path) &&
                        found->second.query_sha256 == digests.Of(instances[i].query_path);
    if (!usable) {
      left.push_back(task);
      continue;
    }
    records_[i] = found->second;
    // Again, because the journal is what counts: the file may be of a kill's last moment, or be lost.
    WriteResult(i, *records_[i]).IgnoreError();
  }
  return left;
}

absl::Status ResultsFolder::WriteResult(size_t instance, InstanceRecord& record) {
  const absl::Status written =
      WriteFileBytes(Path("instances/" + ResultName(instance, record)), record.result_text);
  record.result_text.clear();
  return written;
}

absl::Status ResultsFolder::Keep(size_t instance, InstanceRecord record) {
  if (absl::Status kept = journal_->Append(record); !kept.ok()) return kept;
  absl::Status written = WriteResult(instance, record);
  std::lock_guard<std::mutex> lock(mutex_);
  records_[instance] = std::move(record);
  return written;
}

std::vector<InstanceRecord> ResultsFolder::Records() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<InstanceRecord> records;
  for (const std::optional<InstanceRecord>& record : records_) {
    if (record) records.push_back(*record);
  }
  return records;
}

absl::Status ResultsFolder::WriteReports(report::BatchRun& run) {
  run.records = Records();
  absl::Status status = WriteFileAtomically(Path("results.csv"), report::ResultsCsv(run.records));
  status.Update(WriteFileAtomically(Path("report.html"), report::BatchPage(run)));
  status.Update(WriteFileAtomically(Path("report.json"), report::BatchJson(run)));
  return status;
}

}  // namespace espalier::client
