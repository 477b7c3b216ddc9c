// Results of a verifier over many instances, read from a CSV file of any of the usual forms.
//
//   absl::StatusOr<VerifierResults> results = ReadVerifierResults("Espalier", text, {});
//
// - Six columns without a head line: `category,onnx,vnnlib,prepare seconds,result,seconds`, the table of
//   VNN-COMP, which `espalier batch` writes too.
// - A head line that names columns: `onnx` (or `model`, `network`) and `vnnlib` (`query`, `property`); the
//   result in `got`, `result`, `ref_verdict` or `verdict` and its time in `seconds`, `time`, `run_time` or
//   `ref_s`, the first of each that is there; where they are there, `benchmark` (`category`), `timeout` or
//   `cap` (the limit), `note`, and `verdict` beside another column of results: what is known to be true.
//
// Instances of two files are the same when benchmark and the names of model and query without folders and
// suffixes are. Results are compared in lower case; `holds` is unsat, `violated` sat; an empty result means
// that the instance was not run.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"

namespace espalier::client::report {

struct InstanceKey {
  std::string benchmark, model, query;
  int occurrence = 0;  // how often the same names stood above
  auto operator<=>(const InstanceKey&) const = default;
};

struct VerifierResult {
  std::string result;  // "sat", "unsat", "unknown", "timeout" or "error"
  double seconds = 0;
  bool false_witness = false;  // the note says so

  bool solved() const { return result == "sat" || result == "unsat"; }
};

struct VerifierResults {
  std::string name;
  std::map<InstanceKey, VerifierResult> results;
  std::map<InstanceKey, std::string> known;  // "sat" or "unsat"
  std::map<InstanceKey, double> limits;      // seconds
};

struct ResultColumns {
  std::string result, seconds;    // of the head line; empty: found by the rules above
  bool ignore_benchmark = false;  // where files call the same benchmark differently
};

// INVALID_ARGUMENT names the line or the column that is missing.
absl::StatusOr<VerifierResults> ReadVerifierResults(const std::string& name, const std::string& text,
                                                    const ResultColumns& columns);

}  // namespace espalier::client::report
