#include "client/report/verifier_results.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/batch/instances.h"
#include "client/csv.h"

namespace espalier::client::report {
namespace {

using Names = std::vector<std::string>;

constexpr size_t kCompetitionColumns = 6;

// Where each value stands in a row; -1: nowhere.
struct Places {
  int benchmark = 0, model = 1, query = 2, result = 4, seconds = 5, limit = -1, known = -1, note = -1;
  bool named = false;
};

int Find(const Names& head, const Names& names) {
  for (const std::string& name : names) {
    for (size_t i = 0; i < head.size(); ++i) {
      if (head[i] == name) return static_cast<int>(i);
    }
  }
  return -1;
}

absl::StatusOr<Places> PlacesOf(const Names& head, const ResultColumns& columns) {
  Places places;
  const int model = Find(head, {"onnx", "model", "network"});
  const int query = Find(head, {"vnnlib", "query", "property"});
  if (model < 0 || query < 0) {
    if (head.size() == kCompetitionColumns) return places;
    return absl::InvalidArgumentError(
        "neither the six columns of VNN-COMP nor a head line that names onnx and vnnlib");
  }
  places = {.benchmark = Find(head, {"benchmark", "category"}), .model = model, .query = query};
  places.named = true;
  places.result = columns.result.empty() ? Find(head, {"got", "result", "ref_verdict", "verdict"})
                                         : Find(head, {columns.result});
  if (places.result < 0) return absl::InvalidArgumentError("no column holds results");
  const bool reference = head[static_cast<size_t>(places.result)] == "ref_verdict";
  const Names times = reference ? Names{"ref_s"} : Names{"seconds", "time", "run_time"};
  places.seconds = Find(head, columns.seconds.empty() ? times : Names{columns.seconds});
  if (places.seconds < 0) return absl::InvalidArgumentError("no column holds times");
  places.limit = Find(head, {"cap", "timeout"});
  places.known = Find(head, {"verdict"});
  if (places.known == places.result) places.known = -1;
  places.note = Find(head, {"note"});
  return places;
}

std::string CellAt(const Names& cells, int place) {
  return place >= 0 && static_cast<size_t>(place) < cells.size() ? cells[static_cast<size_t>(place)] : "";
}

// One of the five words; empty for an instance that was not run.
std::string ResultWord(const std::string& text) {
  const std::string word = absl::AsciiStrToLower(text);
  if (word.empty() || word == "-") return "";
  if (word == "unsat" || word == "holds" || word == "verified") return "unsat";
  if (word == "sat" || word == "violated" || word == "falsified") return "sat";
  if (word == "unknown") return "unknown";
  if (word.find("timeout") != std::string::npos || word == "timed-out") return "timeout";
  return "error";
}

std::optional<double> NumberAt(const Names& cells, int place) {
  double value = 0;
  const bool valid = absl::SimpleAtod(CellAt(cells, place), &value) && std::isfinite(value) && value >= 0;
  return valid ? std::optional<double>(value) : std::nullopt;
}

absl::Status Add(const Names& cells, const Places& places, const ResultColumns& columns,
                 std::map<InstanceKey, int>& seen, VerifierResults& all) {
  InstanceKey key{.benchmark = columns.ignore_benchmark ? "" : CellAt(cells, places.benchmark),
                  .model = Stem(CellAt(cells, places.model)),
                  .query = Stem(CellAt(cells, places.query))};
  if (key.model.empty() || key.query.empty()) return absl::InvalidArgumentError("no model or no query");
  key.occurrence = seen[key]++;
  const std::string known = ResultWord(CellAt(cells, places.known));
  if (known == "sat" || known == "unsat") all.known[key] = known;
  if (const std::optional<double> limit = NumberAt(cells, places.limit)) all.limits[key] = *limit;
  VerifierResult result{.result = ResultWord(CellAt(cells, places.result))};
  if (result.result.empty()) return absl::OkStatus();
  const std::optional<double> seconds = NumberAt(cells, places.seconds);
  if (!seconds && result.solved()) return absl::InvalidArgumentError("a result without its time in seconds");
  result.seconds = seconds.value_or(0);
  result.false_witness = CellAt(cells, places.note).find("false witness") != std::string::npos;
  all.results[key] = result;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifierResults> ReadVerifierResults(const std::string& name, const std::string& text,
                                                    const ResultColumns& columns) {
  const absl::StatusOr<std::vector<CsvRow>> rows = ParseCsv(text);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return absl::InvalidArgumentError("there are no results in it");
  const absl::StatusOr<Places> places = PlacesOf(rows->front().cells, columns);
  if (!places.ok()) return places.status();
  VerifierResults all{.name = name, .results = {}, .known = {}, .limits = {}};
  std::map<InstanceKey, int> seen;
  for (size_t i = places->named ? 1 : 0; i < rows->size(); ++i) {
    const CsvRow& row = (*rows)[i];
    if (absl::Status added = Add(row.cells, *places, columns, seen, all); !added.ok())
      return absl::InvalidArgumentError(absl::StrCat("line ", row.line, ": ", std::string(added.message())));
  }
  return all;
}

}  // namespace espalier::client::report
