// What became of one instance of a batch: a row of results.csv, of the report, and a line of the journal.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/batch/instances.h"
#include "espalier/v1/verify.pb.h"

namespace espalier::client {

struct InstanceRecord {
  std::string category, model, query;  // as in the list
  double timeout_s = 0;                // that it had
  int64_t occurrence = 0;              // how often the same line stood above

  std::string result;       // "sat", "unsat", "unknown", "timeout" or "error", as in VNN-COMP
  double seconds = 0;       // from the start of reading its files to the answer
  std::string cause;        // of an error or of "unknown", few words: "model not supported"
  std::string reason;       // the whole sentence
  std::string result_text;  // of the result file; dropped once that is written

  // Of the run, as the server said; empty where it did not answer.
  std::string server, version, device, processor;
  int64_t seed = 0, threads = 0, domains = 0, splits = 0;
  std::string model_sha256, query_sha256;  // of the decompressed files; empty: could not be read

  bool solved() const { return result == "sat" || result == "unsat"; }
};

InstanceRecord RecordOf(const Instance& instance, double timeout_s, int64_t occurrence);

// Fills in what a server answered.
void SetAnswer(const v1::VerifyResult& result, InstanceRecord& record);
void SetError(const std::string& cause, const std::string& reason, InstanceRecord& record);

// One line of JSON, without its end, and back. INVALID_ARGUMENT: it is none.
std::string RecordLine(const InstanceRecord& record);
absl::StatusOr<InstanceRecord> RecordOfLine(const std::string& line);

}  // namespace espalier::client
