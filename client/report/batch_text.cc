// A batch as text for the terminal, and as the competition's table.
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/csv.h"
#include "client/report/batch_report.h"
#include "client/report/batch_sums.h"

namespace espalier::client::report {

std::string BatchText(const BatchRun& run) {
  const BatchSums sums = SumsOf(run.records);
  std::string text = absl::StrFormat("%-24s %7s %7s %7s %7s %7s %7s %10s\n", "category", "unsat", "sat",
                                     "unknown", "timeout", "error", "all", "seconds");
  const auto add = [&text](const std::string& name, const BatchSums::Sum& sum) {
    const ResultCounts& c = sum.counts;
    absl::StrAppendFormat(&text, "%-24s %7d %7d %7d %7d %7d %7d %10.2f\n", name, c.unsat, c.sat, c.unknown,
                          c.timeout, c.error, c.total(), sum.seconds);
  };
  for (const auto& [name, sum] : sums.by_category) add(name, sum);
  if (sums.by_category.size() != 1) add("together", sums.all);
  std::map<std::string, int64_t> causes;
  for (const InstanceRecord& record : run.records) {
    if (record.result == "error") ++causes[record.cause];
  }
  for (const auto& [cause, count] : causes) absl::StrAppend(&text, "error: ", cause, ": ", count, "\n");
  const auto missing = run.instances - static_cast<int64_t>(run.records.size());
  if (missing > 0) absl::StrAppend(&text, missing, " of ", run.instances, " instances were not run\n");
  return text;
}

std::string ResultsCsv(const std::vector<InstanceRecord>& records) {
  std::string text;
  for (const InstanceRecord& record : records) {
    // Nothing is prepared ahead of a run: reading and sending the files is part of its time.
    text += CsvLine({record.category, record.model, record.query, "0", record.result,
                     absl::StrFormat("%.6f", record.seconds)});
  }
  return text;
}

}  // namespace espalier::client::report
