// The folder of a batch's results: the journal, one result file for each instance in the form of VNN-COMP
// (instances/0001_MODEL_QUERY.txt), and, written when a run ends, results.csv, report.html and report.json.
//
//   auto folder = ResultsFolder::Open("results", "threads=2", /*restart=*/false);
//   std::deque<Task> left = (*folder)->Match(instances, timeouts, /*retry_errors=*/false);
//   absl::Status kept = (*folder)->Keep(instance, record);
//
// Keep and Records are thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "client/batch/instance_queue.h"
#include "client/batch/journal.h"
#include "client/report/batch_report.h"

namespace espalier::client {

class ResultsFolder {
 public:
  // Errors of making folders, and Journal's.
  static absl::StatusOr<std::unique_ptr<ResultsFolder>> Open(const std::string& path,
                                                             const std::string& options, bool restart);

  // Takes over what another folder holds, e.g. that of a shard; the other one stays as it is. Before Match.
  // NOT_FOUND: there are no results; Journal's errors: other options, still in use.
  absl::Status Collect(const std::string& path, const std::string& options);

  // Takes what earlier runs have finished, as far as list, time limits and the content of the files are the
  // same, and returns the rest. `timeouts`: seconds, one for each instance.
  std::deque<Task> Match(const std::vector<Instance>& instances, const std::vector<double>& timeouts,
                         bool retry_errors);

  // Writes an instance's result file and remembers its record; on the disk when it returns.
  absl::Status Keep(size_t instance, InstanceRecord record);

  // Of the finished instances, in the list's order.
  std::vector<InstanceRecord> Records();

  // results.csv and both reports; `run.records` is filled in.
  absl::Status WriteReports(report::BatchRun& run);

  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  using Line = std::tuple<std::string, std::string, std::string, double>;  // category, model, query, timeout
  using Key = std::pair<Line, int64_t>;                                    // and its occurrence
  static Line LineOf(const InstanceRecord& record);
  static Key KeyOf(const InstanceRecord& record) { return {LineOf(record), record.occurrence}; }

  ResultsFolder(std::string path, std::unique_ptr<Journal> journal);
  absl::Status WriteResult(size_t instance, InstanceRecord& record);

  const std::string path_;
  const std::unique_ptr<Journal> journal_;
  std::map<Key, InstanceRecord> known_;  // of earlier runs; the last one of each counts
  std::mutex mutex_;
  std::vector<std::optional<InstanceRecord>> records_;  // one for each instance
};

}  // namespace espalier::client
