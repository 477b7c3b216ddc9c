#include "client/report/compare_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/measurement_text.h"
#include "client/report/charts.h"
#include "client/report/options_text.h"
#include "client/report/page.h"

namespace espalier::client::report {
namespace {

struct Spread {
  double least = 0, median = 0, largest = 0;
  int64_t finite = 0, infinite = 0;
};

Spread SpreadOf(const google::protobuf::RepeatedField<double>& values) {
  std::vector<double> finite;
  for (const double value : values) {
    if (std::isfinite(value)) finite.push_back(value);
  }
  std::sort(finite.begin(), finite.end());
  Spread spread;
  spread.finite = static_cast<int64_t>(finite.size());
  spread.infinite = values.size() - spread.finite;
  if (finite.empty()) return spread;
  spread.least = finite.front();
  spread.median = finite[finite.size() / 2];
  spread.largest = finite.back();
  return spread;
}

std::vector<std::string> SpreadCells(const std::string& name, const Spread& spread) {
  if (spread.finite == 0) return {name, "-", "-", "-"};
  return {name, ShortNumber(spread.least), ShortNumber(spread.median), ShortNumber(spread.largest)};
}

std::string Unbounded(const Spread& bound) {
  if (bound.infinite == 0) return "";
  return absl::StrCat(bound.infinite, " of ", bound.finite + bound.infinite, " boxes have no bound.");
}

std::string Disagreement(const CompareRun& run) {
  return absl::StrFormat("The predicted class differs at %.2f %% of the samples themselves.",
                         100 * run.report.disagreement());
}

// Samples in the order of their bounds.
std::string DifferenceChart(const v1::DifferenceReport& report) {
  std::vector<int> order(static_cast<size_t>(std::min(report.bound_size(), report.found_size())));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&report](int a, int b) { return report.bound(a) < report.bound(b); });
  LineChart chart{.title = "Largest difference of the outputs over each sample's box",
                  .x_label = "samples, by their bound",
                  .y_label = "",
                  .label_points = false};
  Series bound{"certified bound", {}}, found{"largest difference found", {}};
  for (size_t i = 0; i < order.size(); ++i) {
    if (!std::isfinite(report.bound(order[i])) || !std::isfinite(report.found(order[i]))) continue;
    const double x = static_cast<double>(i + 1);
    bound.points.push_back({x, report.bound(order[i])});
    found.points.push_back({x, report.found(order[i])});
  }
  chart.series = {bound, found};
  return Legend({bound.name, found.name}) + Draw(chart);
}

}  // namespace

std::string CompareText(const CompareRun& run) {
  const v1::DifferenceReport& report = run.report;
  std::string text = ComparisonTable("base", report.base(), "other", report.other());
  const Spread bound = SpreadOf(report.bound()), found = SpreadOf(report.found());
  absl::StrAppendFormat(&text, "\n%-24s %12s %12s %12s\n", "outputs differ by", "least", "median", "largest");
  for (const auto& cells :
       {SpreadCells("at most (certified)", bound), SpreadCells("at least (found)", found)}) {
    absl::StrAppendFormat(&text, "%-24s %12s %12s %12s\n", cells[0], cells[1], cells[2], cells[3]);
  }
  absl::StrAppend(&text, "over boxes of radius ", ShortNumber(run.numbers.epsilon()), " around ",
                  report.samples(), " samples. ", Unbounded(bound), bound.infinite > 0 ? " " : "",
                  Disagreement(run), "\n");
  return text;
}

std::string ComparePage(const CompareRun& run) {
  const v1::DifferenceReport& report = run.report;
  const Spread bound = SpreadOf(report.bound()), found = SpreadOf(report.found());
  std::string body = Tiles({{"outputs differ by at most", bound.finite > 0 ? ShortNumber(bound.largest) : "-",
                             absl::StrCat("certified, median ", ShortNumber(bound.median))},
                            {"largest difference found", found.finite > 0 ? ShortNumber(found.largest) : "-",
                             absl::StrCat("by search, median ", ShortNumber(found.median))},
                            {"other class predicted", absl::StrFormat("%.2f %%", 100 * report.disagreement()),
                             "of the samples themselves"}});
  body += Section("Side by side", MeasurementTable("base", report.base(), "other", report.other()));
  Table table({"outputs differ by", "least", "median", "largest"});
  table.Row(SpreadCells("at most (certified)", bound));
  table.Row(SpreadCells("at least (found)", found));
  body += Section(
      "Difference of the outputs",
      Paragraph(absl::StrFormat("Over the boxes of radius %s around %d samples, the largest absolute "
                                "difference of any output. %s",
                                ShortNumber(run.numbers.epsilon()), report.samples(), Unbounded(bound)),
                "soft") +
          DifferenceChart(report) + table.Html());
  body += Section("To repeat it",
                  absl::StrCat("<pre>", Escape(run.command_line), "</pre>\n", FileTable(run.files),
                               "<h3>Numbers</h3>", OptionTable(run.numbers)));
  std::string subtitle;
  for (const FileRecord& file : run.files) {
    if (file.role == "base" || file.role == "other")
      absl::StrAppend(&subtitle, subtitle.empty() ? "" : " and ", file.path);
  }
  return Page("Two networks compared", subtitle, body);
}

}  // namespace espalier::client::report
