#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/measurement_text.h"
#include "client/report/charts.h"
#include "client/report/graft_report.h"
#include "client/report/options_text.h"
#include "client/report/page.h"

namespace espalier::client::report {
namespace {

const v1::Measurement& FinalOf(const v1::GraftReport& report) {
  return report.points_size() > 0 ? report.points(report.points_size() - 1).measurement() : report.base();
}

double FinalRatio(const v1::GraftReport& report) {
  return report.points_size() > 0 ? report.points(report.points_size() - 1).ratio() : 0;
}

Tile TileOf(const std::string& label, const MeasuredRow& row, const v1::Measurement& base,
            const v1::Measurement& grafted) {
  const double before = row.value(base), after = row.value(grafted), change = after - before;
  const int mood = change == 0 ? 0 : ((change > 0) == row.more_is_better ? 1 : -1);
  return {label, FormatValue(row, after),
          absl::StrCat("base ", FormatValue(row, before), ", ", FormatChange(row, change)), mood};
}

// Each quantity of the rows that is a percentage of correct or verified samples, and the time.
std::string Summary(const v1::GraftReport& report) {
  std::vector<Tile> tiles;
  const v1::Measurement& grafted = FinalOf(report);
  const std::set<std::string> shown = {
      "clean accuracy", "accuracy under PGD-20", "verified by root bounds", "verified by search",
      "undecided",      "total seconds"};
  for (const MeasuredRow& row : MeasuredRows(report.base(), grafted)) {
    if (shown.contains(row.name)) tiles.push_back(TileOf(row.name, row, report.base(), grafted));
  }
  return Tiles(tiles);
}

std::string Outcomes(const v1::GraftReport& report) {
  const v1::Measurement& grafted = FinalOf(report);
  if (grafted.verify_samples() == 0) return "";
  BarChart chart{.title = "Outcomes of verification", .stacked = true, .x_max = 100, .unit = " %"};
  chart.series = {"verified", "undecided", "wrong or falsified"};
  chart.colours = {2, 5, 1};
  for (const auto& [name, m] : {std::pair("base", &report.base()), std::pair("grafted", &grafted)}) {
    chart.rows.push_back({name, {100 * m->verified(), 100 * m->undecided(), 100 * m->falsified()}});
  }
  return Section(absl::StrCat("Verification of ", grafted.verify_samples(), " samples"),
                 Legend(chart.series, chart.colours) + Draw(chart));
}

// The base network is the point at ratio 0. Points in order of their ratio; of several at one, the last.
std::vector<const v1::GraftPoint*> SortedPoints(const v1::GraftReport& report) {
  std::vector<const v1::GraftPoint*> points;
  for (const v1::GraftPoint& point : report.points()) {
    std::erase_if(points, [&point](const v1::GraftPoint* old) { return old->ratio() == point.ratio(); });
    points.push_back(&point);
  }
  std::sort(points.begin(), points.end(),
            [](const v1::GraftPoint* a, const v1::GraftPoint* b) { return a->ratio() < b->ratio(); });
  return points;
}

std::string Curve(const v1::GraftReport& report) {
  const std::vector<const v1::GraftPoint*> points = SortedPoints(report);
  const v1::Measurement& grafted = FinalOf(report);
  LineChart chart{.title = "Accuracy and verified fraction over the share of grafted neurons",
                  .x_label = "grafted share of the ReLU neurons",
                  .y_label = "",
                  .unit = " %",
                  .x_max = 100,
                  .y_max = 100};
  std::vector<std::string> names;
  Table table({"grafted", "clean", "PGD-20", "verified at the root", "verified", "undecided", "seconds"});
  const auto add = [&table](const std::string& name, const v1::Measurement& m, const std::string& css) {
    const auto percent = [](double fraction) { return absl::StrFormat("%.1f %%", 100 * fraction); };
    const auto verification = [&m](const std::string& cell) {
      return m.verify_samples() > 0 ? cell : std::string("not measured");
    };
    table.Row({name, percent(m.clean_accuracy()), percent(m.attacked_accuracy()),
               verification(percent(m.root_verified())), verification(percent(m.verified())),
               verification(percent(m.undecided())), verification(ShortNumber(m.total_seconds()))},
              css);
  };
  for (const MeasuredRow& row : MeasuredRows(report.base(), grafted)) {
    if (!row.percentage || !row.more_is_better) continue;
    Series series{row.name, {{0, row.value(report.base())}}};
    for (const v1::GraftPoint* point : points) {
      series.points.push_back({100 * point->ratio(), row.value(point->measurement())});
    }
    names.push_back(row.name);
    chart.series.push_back(std::move(series));
  }
  add("base", report.base(), "");
  for (const v1::GraftPoint* point : points) {
    const bool final = point->ratio() == FinalRatio(report);
    add(absl::StrFormat("%.4g %%%s", 100 * point->ratio(), final ? " (this network)" : ""),
        point->measurement(), final ? "total" : "");
  }
  return Section("Trade-off", Legend(names) + Draw(chart) + table.Html());
}

std::string Layers(const v1::GraftReport& report) {
  Table table(
      {"layer", "neurons", "grafted before", "grafted", "share", "unstable before", "unstable after"});
  BarChart chart{.title = "Unstable neurons per layer", .series = {"unstable before", "unstable after"}};
  v1::LayerGraftCounts sum;
  const auto add = [&table](const std::string& name, const v1::LayerGraftCounts& layer, const char* css) {
    const double neurons = static_cast<double>(std::max<int64_t>(1, layer.neurons()));
    table.Row(
        {name, absl::StrCat(layer.neurons()), absl::StrCat(layer.grafted_before()),
         absl::StrCat(layer.grafted_after()),
         absl::StrFormat("%.1f %%", 100 * static_cast<double>(layer.grafted_after()) / neurons),
         absl::StrFormat("%.1f", layer.unstable_before()), absl::StrFormat("%.1f", layer.unstable_after())},
        css);
  };
  for (const v1::LayerGraftCounts& layer : report.layers()) {
    add(layer.name(), layer, "");
    chart.rows.push_back({layer.name(), {layer.unstable_before(), layer.unstable_after()}});
    sum.set_neurons(sum.neurons() + layer.neurons());
    sum.set_grafted_before(sum.grafted_before() + layer.grafted_before());
    sum.set_grafted_after(sum.grafted_after() + layer.grafted_after());
    sum.set_unstable_before(sum.unstable_before() + layer.unstable_before());
    sum.set_unstable_after(sum.unstable_after() + layer.unstable_after());
  }
  add("together", sum, "total");
  return Section("Layers",
                 Paragraph("Unstable neurons are means over the scored samples' boxes: neurons whose input "
                           "can be negative as well as positive there.",
                           "soft") +
                     Legend(chart.series) + Draw(chart) + table.Html());
}

std::string Repeat(const GraftRun& run) {
  const v1::GraftReport& report = run.report;
  std::string html = absl::StrCat("<pre>", Escape(run.command_line), "</pre>\n");
  absl::StrAppend(
      &html, Paragraph(absl::StrFormat("Espalier %s on %s, %d threads, seed %d; %.1f s.", report.version(),
                                       report.processor(), report.train().threads(), report.train().seed(),
                                       report.seconds()),
                       "soft"));
  absl::StrAppend(&html, FileTable(run.files));
  absl::StrAppend(&html, "<div class=\"columns\"><div><h3>Grafting</h3>", OptionTable(report.graft()),
                  "</div><div><h3>Fine-tuning</h3>", OptionTable(report.train()), "</div></div>\n");
  return Section("To repeat it", html);
}

}  // namespace

std::string GraftPage(const GraftRun& run) {
  const v1::GraftReport& report = run.report;
  std::string body = Summary(report);
  if (report.warnings_size() > 0) {
    std::string warnings;
    for (const std::string& warning : report.warnings()) warnings += Paragraph(warning, "warning");
    body += Section("Warnings", warnings);
  }
  const v1::Measurement& grafted = FinalOf(report);
  body += Section(
      "Base and grafted network",
      MeasurementTable("base", report.base(), "grafted", grafted) +
          Paragraph(absl::StrFormat("Accuracy on %d samples, verification of the first %d; boxes of radius "
                                    "%s around them.",
                                    grafted.samples(), grafted.verify_samples(),
                                    ShortNumber(report.train().epsilon())),
                    "soft"));
  body += Outcomes(report) + Curve(report) + Layers(report) + Repeat(run);
  const std::string path = run.files.empty() ? "" : run.files.back().path;
  return Page("Grafted network",
              absl::StrFormat("%s: %.4g %% of the ReLU neurons are lines, ε = %s", path,
                              100 * FinalRatio(report), ShortNumber(report.train().epsilon())),
              body);
}

}  // namespace espalier::client::report
