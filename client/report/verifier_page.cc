// The comparison of verifiers as text and as a page.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/report/batch_sums.h"
#include "client/report/charts.h"
#include "client/report/options_text.h"
#include "client/report/page.h"
#include "client/report/verifier_comparison.h"

namespace espalier::client::report {
namespace {

using Group = std::vector<const ComparedInstance*>;

constexpr double kLeastSeconds = 1e-3;  // that a logarithmic axis shows

struct Groups {
  Group all;
  std::map<std::string, Group> by_benchmark;
};

Groups GroupsOf(const Comparison& comparison) {
  Groups groups;
  for (const ComparedInstance& instance : comparison.instances) {
    groups.all.push_back(&instance);
    groups.by_benchmark[instance.key.benchmark].push_back(&instance);
  }
  return groups;
}

struct Count {
  int run = 0, unsat = 0, sat = 0, wrong = 0;
  int solved() const { return unsat + sat; }
};

Count CountOf(const Group& group, size_t verifier) {
  Count count;
  for (const ComparedInstance* instance : group) {
    const VerifierResult& result = instance->results[verifier];
    count.run += result.result.empty() ? 0 : 1;
    count.wrong += instance->wrong[verifier] ? 1 : 0;
    if (!instance->Solved(verifier)) continue;
    ++(result.result == "sat" ? count.sat : count.unsat);
  }
  return count;
}

std::string CountText(const Count& count) {
  if (count.run == 0) return "–";
  std::string text = absl::StrFormat("%d of %d (%d+%d)", count.solved(), count.run, count.unsat, count.sat);
  if (count.wrong > 0) absl::StrAppend(&text, ", ", count.wrong, " WRONG");
  return text;
}

std::string RatioText(const TimeRatio& ratio) {
  return ratio.instances > 0 ? absl::StrFormat("%.3g (%d)", ratio.mean, ratio.instances) : "–";
}

// A row of the table of counts: solved of each verifier, then the first one's time over each other's.
std::vector<std::string> Row(const Comparison& comparison, const std::string& name, const Group& group) {
  std::vector<std::string> cells = {name.empty() ? "all" : name};
  for (size_t v = 0; v < comparison.names.size(); ++v) cells.push_back(CountText(CountOf(group, v)));
  for (size_t v = 1; v < comparison.names.size(); ++v) cells.push_back(RatioText(TimeRatioOf(group, 0, v)));
  return cells;
}

std::vector<std::string> Head(const Comparison& comparison) {
  std::vector<std::string> cells = {"benchmark"};
  for (const std::string& name : comparison.names) cells.push_back(name);
  for (size_t v = 1; v < comparison.names.size(); ++v)
    cells.push_back(absl::StrCat("time / ", comparison.names[v]));
  return cells;
}

bool HasWrong(const Group& group, size_t verifiers) {
  for (size_t v = 0; v < verifiers; ++v) {
    if (CountOf(group, v).wrong > 0) return true;
  }
  return false;
}

std::string Summary(const Comparison& comparison, const Groups& groups) {
  std::vector<Tile> tiles;
  for (size_t v = 0; v < comparison.names.size(); ++v) {
    const Count count = CountOf(groups.all, v);
    std::string note = absl::StrFormat("%d unsat, %d sat", count.unsat, count.sat);
    if (count.wrong > 0) absl::StrAppend(&note, ", ", count.wrong, " wrong");
    tiles.push_back({absl::StrCat("solved by ", comparison.names[v]),
                     absl::StrFormat("%d of %d", count.solved(), count.run), note, count.wrong > 0 ? -1 : 0});
  }
  for (size_t v = 1; v < comparison.names.size(); ++v) {
    const TimeRatio ratio = TimeRatioOf(groups.all, 0, v);
    tiles.push_back({absl::StrCat("time of ", comparison.names[0], " / ", comparison.names[v]),
                     ratio.instances > 0 ? absl::StrFormat("%.3g", ratio.mean) : "–",
                     absl::StrFormat("geometric mean over %d instances that both solve", ratio.instances),
                     0});
  }
  return Tiles(tiles);
}

std::string Counts(const Comparison& comparison, const Groups& groups) {
  Table table(Head(comparison));
  for (const auto& [name, group] : groups.by_benchmark)
    table.Row(Row(comparison, name, group), HasWrong(group, comparison.names.size()) ? "bad" : "");
  if (groups.by_benchmark.size() > 1) table.Row(Row(comparison, "together", groups.all), "total");
  return Section("Solved", Paragraph("Solved of those run (unsat+sat); geometric mean of the ratio of times "
                                     "where both solve, and of how many instances.",
                                     "soft") +
                               table.Html());
}

std::string Cactus(const Comparison& comparison) {
  LineChart chart{.title = "Solved instances over the time that each may take",
                  .x_label = "instances solved within that time each",
                  .y_label = "seconds",
                  .log_y = true,
                  .label_points = false};
  for (size_t v = 0; v < comparison.names.size(); ++v) {
    std::vector<double> seconds;
    for (const ComparedInstance& instance : comparison.instances) {
      if (instance.Solved(v)) seconds.push_back(std::max(instance.results[v].seconds, kLeastSeconds));
    }
    chart.series.push_back(CactusSeries(comparison.names[v], std::move(seconds)));
  }
  return Section("Time to solve", Legend(comparison.names) + Draw(chart));
}

// The first verifier's times against those of `other`; what one does not solve stands at the limit.
std::string Scatter(const Comparison& comparison, size_t other) {
  const std::string &a = comparison.names[0], &b = comparison.names[other];
  ScatterChart chart{.title = absl::StrCat(a, " against ", b),
                     .x_label = absl::StrCat(b, ", seconds"),
                     .y_label = absl::StrCat(a, ", seconds"),
                     .log_x = true,
                     .limit = comparison.limit_s,
                     .colours = {2, 0}};
  const auto time = [&](const ComparedInstance& instance, size_t verifier) {
    return instance.Solved(verifier) ? std::max(instance.results[verifier].seconds, kLeastSeconds)
                                     : comparison.limit_s;
  };
  for (const ComparedInstance& instance : comparison.instances) {
    if (instance.results[0].result.empty() || instance.results[other].result.empty()) continue;
    if (!instance.Solved(0) && !instance.Solved(other)) continue;
    const std::string& answer = instance.results[instance.Solved(0) ? 0 : other].result;
    chart.marks.push_back(
        {{time(instance, other), time(instance, 0)},
         answer == "sat" ? size_t{1} : size_t{0},
         absl::StrCat(instance.key.benchmark, " ", instance.key.model, " ", instance.key.query)});
  }
  return Section(
      absl::StrCat(a, " against ", b),
      Legend({"unsat", "sat"}, chart.colours) + Draw(chart) +
          Paragraph(absl::StrFormat("Below the diagonal %s is faster. Dashed: the limit of %s s, where "
                                    "what one of the two does not solve is drawn.",
                                    a, ShortNumber(comparison.limit_s)),
                    "soft"));
}

std::string ResultCell(const ComparedInstance& instance, size_t verifier) {
  const VerifierResult& result = instance.results[verifier];
  if (result.result.empty()) return "not run";
  std::string text = absl::StrFormat("%s, %.3g s", result.result, result.seconds);
  if (instance.wrong[verifier]) absl::StrAppend(&text, result.false_witness ? ", FALSE WITNESS" : ", WRONG");
  return text;
}

std::string Differences(const Comparison& comparison) {
  std::vector<std::string> head = {"benchmark", "model", "query", "known"};
  head.insert(head.end(), comparison.names.begin(), comparison.names.end());
  Table table(head);
  int rows = 0;
  for (const bool wrong_first : {true, false}) {
    for (const ComparedInstance& instance : comparison.instances) {
      const bool wrong =
          std::find(instance.wrong.begin(), instance.wrong.end(), true) != instance.wrong.end();
      int run = 0, solved = 0;
      for (size_t v = 0; v < comparison.names.size(); ++v) {
        run += instance.results[v].result.empty() ? 0 : 1;
        solved += instance.Solved(v) ? 1 : 0;
      }
      if (wrong != wrong_first || (!wrong && (solved == 0 || solved == run))) continue;
      std::vector<std::string> cells = {instance.key.benchmark, instance.key.model, instance.key.query,
                                        instance.known.empty() ? "–" : instance.known};
      for (size_t v = 0; v < comparison.names.size(); ++v) cells.push_back(ResultCell(instance, v));
      table.Row(cells, wrong ? "bad" : "");
      ++rows;
    }
  }
  return Section("Where they differ", rows == 0 ? Paragraph("Nowhere.", "soft") : table.TextHtml());
}

}  // namespace

std::string ComparisonText(const Comparison& comparison) {
  const Groups groups = GroupsOf(comparison);
  std::string text;
  const auto line = [&text](const std::vector<std::string>& cells) {
    absl::StrAppendFormat(&text, "%-24s", cells[0]);
    for (size_t i = 1; i < cells.size(); ++i) absl::StrAppendFormat(&text, " %24s", cells[i]);
    text += "\n";
  };
  line(Head(comparison));
  for (const auto& [name, group] : groups.by_benchmark) line(Row(comparison, name, group));
  if (groups.by_benchmark.size() > 1) line(Row(comparison, "together", groups.all));
  for (const ComparedInstance& instance : comparison.instances) {
    for (size_t v = 0; v < comparison.names.size(); ++v) {
      if (!instance.wrong[v]) continue;
      absl::StrAppend(&text, "WRONG ", comparison.names[v], ": ", instance.key.benchmark, " ",
                      instance.key.model, " ", instance.key.query, ": ", ResultCell(instance, v), "; known ",
                      instance.known.empty() ? "nothing, verifiers contradict each other" : instance.known,
                      "\n");
    }
  }
  return text;
}

std::string ComparisonPage(const Comparison& comparison) {
  const Groups groups = GroupsOf(comparison);
  std::string body = Summary(comparison, groups) + Counts(comparison, groups) + Cactus(comparison);
  for (size_t v = 1; v < comparison.names.size(); ++v) body += Scatter(comparison, v);
  body += Differences(comparison);
  return Page("Verifiers compared", absl::StrJoin(comparison.names, ", "), body);
}

}  // namespace espalier::client::report
