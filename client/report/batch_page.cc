#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/batch/batch_view.h"
#include "client/report/batch_report.h"
#include "client/report/batch_sums.h"
#include "client/report/charts.h"
#include "client/report/options_text.h"
#include "client/report/page.h"

namespace espalier::client::report {
namespace {

constexpr size_t kSlowest = 15;
constexpr double kLeastSeconds = 1e-3;  // that a logarithmic axis shows

// The colours of the results, wherever they are drawn.
const std::vector<std::string> kResults = {"unsat", "sat", "unknown", "timeout", "error"};
const std::vector<size_t> kColours = {2, 0, 4, 5, 1};

std::string Seconds(double seconds) {
  return absl::StrFormat(seconds < 10 ? "%.3f" : "%.1f", seconds);
}

std::string Percent(int64_t part, int64_t whole) {
  return absl::StrFormat("%.1f %%",
                         whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0);
}

std::string Summary(const BatchRun& run, const BatchSums& sums) {
  const ResultCounts& all = sums.all.counts;
  std::vector<Tile> tiles = {
      {"decided", absl::StrFormat("%d of %d", all.solved(), run.instances),
       Percent(all.solved(), run.instances), 0},
      {"proved (unsat) and falsified (sat)", absl::StrFormat("%d and %d", all.unsat, all.sat), "", 0},
      {"not decided", absl::StrCat(all.unknown + all.timeout),
       absl::StrFormat("%d timeout, %d unknown", all.timeout, all.unknown), 0},
      {"errors", absl::StrCat(all.error), all.error > 0 ? "see below" : "none", all.error > 0 ? -1 : 1},
      {"seconds, all instances", Seconds(sums.all.seconds),
       absl::StrCat("median ", Seconds(sums.all.median())), 0}};
  const auto missing = run.instances - static_cast<int64_t>(run.records.size());
  if (missing > 0) tiles.push_back({"not run yet", absl::StrCat(missing), "the batch did not end", -1});
  return Tiles(tiles);
}

std::string Verdicts(const BatchSums& sums) {
  Table table(
      {"category", "unsat", "sat", "unknown", "timeout", "error", "all", "decided", "seconds", "median"});
  BarChart chart{.title = "Results by category", .series = kResults, .stacked = true, .colours = kColours};
  const auto add = [&table](const std::string& name, const BatchSums::Sum& sum, const std::string& css) {
    const ResultCounts& c = sum.counts;
    table.Row({name, absl::StrCat(c.unsat), absl::StrCat(c.sat), absl::StrCat(c.unknown),
               absl::StrCat(c.timeout), absl::StrCat(c.error), absl::StrCat(c.total()),
               Percent(c.solved(), c.total()), Seconds(sum.seconds), Seconds(sum.median())},
              css);
  };
  for (const auto& [name, sum] : sums.by_category) {
    add(name, sum, "");
    const ResultCounts& c = sum.counts;
    chart.rows.push_back({name, {}});
    for (const int64_t count : {c.unsat, c.sat, c.unknown, c.timeout, c.error})
      chart.rows.back().values.push_back(static_cast<double>(count));
  }
  if (sums.by_category.size() != 1) add("together", sums.all, "total");
  return Section("Results", Legend(kResults, kColours) + Draw(chart) + table.Html());
}

std::string Cactus(const BatchRun& run) {
  LineChart chart{.title = "Decided instances over the time that each may take",
                  .x_label = "instances decided within that time each",
                  .y_label = "seconds",
                  .log_y = true,
                  .label_points = false,
                  .colours = {3, 2, 0}};
  for (const char* name : {"decided", "unsat", "sat"}) {
    std::vector<double> seconds;
    for (const InstanceRecord& record : run.records) {
      const bool counted = std::string(name) == "decided" ? record.solved() : record.result == name;
      if (counted) seconds.push_back(std::max(record.seconds, kLeastSeconds));
    }
    chart.series.push_back(CactusSeries(name, std::move(seconds)));
  }
  return Section("Time to decide", Legend({"decided", "unsat", "sat"}, chart.colours) + Draw(chart));
}

std::string Times(const BatchRun& run) {
  ScatterChart chart{.title = "Time of every instance",
                     .x_label = "instance, in the list's order",
                     .y_label = "seconds",
                     .colours = kColours};
  for (size_t i = 0; i < run.records.size(); ++i) {
    const InstanceRecord& record = run.records[i];
    const auto kind = std::find(kResults.begin(), kResults.end(), record.result) - kResults.begin();
    chart.marks.push_back({{static_cast<double>(i + 1), std::max(record.seconds, kLeastSeconds)},
                           static_cast<size_t>(kind),
                           absl::StrCat(Stem(record.model), " ", Stem(record.query), ": ", record.result,
                                        ", ", Seconds(record.seconds), " s")});
  }
  return Section("Every instance", Legend(kResults, kColours) + Draw(chart));
}

Table RecordTable(const std::vector<const InstanceRecord*>& records) {
  Table table({"category", "model", "query", "result", "seconds", "limit", "domains"});
  for (const InstanceRecord* record : records) {
    table.Row({record->category, Stem(record->model), Stem(record->query), record->result,
               Seconds(record->seconds), ShortNumber(record->timeout_s), absl::StrCat(record->domains)},
              record->result == "error" ? "bad" : "");
  }
  return table;
}

std::string Slowest(const BatchRun& run) {
  std::vector<const InstanceRecord*> records;
  for (const InstanceRecord& record : run.records) records.push_back(&record);
  const std::string all = Details("All instances", RecordTable(records).Html());
  std::stable_sort(records.begin(), records.end(),
                   [](const InstanceRecord* a, const InstanceRecord* b) { return a->seconds > b->seconds; });
  if (records.size() > kSlowest) records.resize(kSlowest);
  return Section("Slowest", RecordTable(records).Html() + all);
}

// Errors and what kept instances from being decided, the most frequent first.
std::string Causes(const BatchRun& run) {
  std::map<std::pair<std::string, std::string>, std::vector<const InstanceRecord*>> groups;
  for (const InstanceRecord& record : run.records) {
    if (record.result == "error" || record.result == "unknown")
      groups[{record.result, record.cause}].push_back(&record);
  }
  if (groups.empty()) return "";
  Table table({"result", "cause", "instances", "the first of them", "what it said"});
  for (const auto& [key, records] : groups) {
    table.Row({key.first, key.second, absl::StrCat(records.size()),
               absl::StrCat(Stem(records[0]->model), " ", Stem(records[0]->query)), records[0]->reason},
              key.first == "error" ? "bad" : "");
  }
  return Section("Errors and unknowns by cause", table.TextHtml());
}

std::string Distinct(const BatchRun& run, std::string (*value)(const InstanceRecord&)) {
  std::set<std::string> values;
  for (const InstanceRecord& record : run.records) values.insert(value(record));
  values.erase("");
  return values.empty() ? "not known" : absl::StrJoin(values, ", ");
}

std::string Repeat(const BatchRun& run) {
  Table table({"", ""});
  table.Row({"version", Distinct(run, [](const InstanceRecord& r) { return r.version; })});
  table.Row({"device", Distinct(run, [](const InstanceRecord& r) { return r.device; })});
  table.Row({"processor", Distinct(run, [](const InstanceRecord& r) { return r.processor; })});
  table.Row({"servers", Distinct(run, [](const InstanceRecord& r) { return r.server; })});
  table.Row({"threads", Distinct(run, [](const InstanceRecord& r) {
               return r.version.empty() ? "" : absl::StrCat(r.threads);
             })});
  table.Row({"seed", Distinct(run, [](const InstanceRecord& r) {
               return r.version.empty() ? "" : absl::StrCat(r.seed);
             })});
  table.Row(
      {"wall clock",
       absl::StrFormat(
           "%s s%s", Seconds(run.seconds),
           run.known > 0 ? absl::StrFormat(" in the last run, which found %d results", run.known) : "")});
  std::string html = absl::StrCat("<pre>", Escape(run.command_line), "</pre>\n", table.TextHtml());
  if (const std::string options = OptionTable(run.options); !OptionsText(run.options).empty())
    html += "<h3>Options that were set</h3>" + options;
  return Section("To repeat it", html);
}

}  // namespace

std::string BatchPage(const BatchRun& run) {
  const BatchSums sums = SumsOf(run.records);
  return Page("Batch of verifications", run.list,
              Summary(run, sums) + Verdicts(sums) + Cactus(run) + Times(run) + Causes(run) + Slowest(run) +
                  Repeat(run));
}

}  // namespace espalier::client::report
