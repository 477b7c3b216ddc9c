// The reports as text: complete, self-contained, and safe with names from strangers.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "client/report/axes.h"
#include "client/report/charts.h"
#include "client/report/compare_report.h"
#include "client/report/graft_report.h"

namespace espalier::client::report {
namespace {

v1::Measurement Measured(double clean, double verified) {
  v1::Measurement m;
  m.set_samples(1000);
  m.set_clean_accuracy(clean);
  m.set_attacked_accuracy(clean - 0.1);
  m.set_verify_samples(100);
  m.set_root_verified(verified - 0.05);
  m.set_verified(verified);
  m.set_falsified(1 - clean);
  m.set_undecided(clean - verified);
  m.set_median_seconds(1.5);
  m.set_total_seconds(321.5);
  m.set_mean_domains(12);
  return m;
}

GraftRun SampleRun() {
  GraftRun run;
  v1::GraftReport& report = run.report;
  report.set_version("1.2.3");
  report.set_processor("Test processor");
  report.mutable_train()->set_epsilon(2.0 / 255);
  report.mutable_train()->set_seed(42);
  *report.mutable_base() = Measured(0.78, 0.3);
  for (const double ratio : {0.2, 0.5}) {
    v1::GraftPoint& point = *report.add_points();
    point.set_ratio(ratio);
    *point.mutable_measurement() = Measured(0.78 - ratio / 10, 0.3 + ratio / 2);
  }
  v1::LayerGraftCounts& layer = *report.add_layers();
  layer.set_name("<relu&1>");
  layer.set_neurons(128);
  layer.set_grafted_after(64);
  layer.set_unstable_before(30.25);
  layer.set_unstable_after(11.5);
  report.add_warnings("the <target> was not reached");
  run.command_line = "espalier graft 'a b.onnx'";
  run.files = {{"model", "base.onnx", "ab12"}, {"result", "net.onnx", "cd34"}};
  return run;
}

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(GraftPage, HoldsEverythingAndRefersToNothing) {
  const std::string page = GraftPage(SampleRun());
  for (const char* part :
       {"&lt;relu&amp;1&gt;", "the &lt;target&gt; was not reached", "espalier graft &#39;a b.onnx&#39;",
        "1.2.3", "Test processor", "seed 42", "ab12", "cd34", "0.00784314", "prefers-color-scheme", "<svg",
        "30.2", "11.5", "73.0 %", "55.0 %", "50 % (this network)", "20 %"}) {
    EXPECT_TRUE(Holds(page, part)) << part;
  }
  for (const char* part : {"<relu", "<target>", "http://", "https://", "src=", "<script", "<link"}) {
    EXPECT_FALSE(Holds(page, part)) << part;
  }
}

TEST(GraftJson, HoldsTheSameData) {
  const auto json = nlohmann::json::parse(GraftJson(SampleRun()));
  EXPECT_EQ(json["version"], "1.2.3");
  EXPECT_EQ(json["train"]["seed"], 42);
  EXPECT_EQ(json["layers"][0]["name"], "<relu&1>");
  EXPECT_EQ(json["layers"][0]["unstable_before"], 30.25);
  EXPECT_EQ(json["points"].size(), 2U);
  EXPECT_EQ(json["points"][1]["measurement"]["total_seconds"], 321.5);
  EXPECT_EQ(json["base"]["mean_domains"], 12);
  EXPECT_EQ(json["files"][1]["sha256"], "cd34");
  EXPECT_EQ(json["command_line"], "espalier graft 'a b.onnx'");
  EXPECT_EQ(json["warnings"][0], "the <target> was not reached");
}

TEST(GraftPage, SaysWhatWasNotMeasured) {
  GraftRun run = SampleRun();
  EXPECT_FALSE(Holds(GraftPage(run), "not measured"));
  run.report.mutable_base()->set_verify_samples(0);
  EXPECT_TRUE(Holds(GraftPage(run), "not measured"));
}

TEST(GraftPage, WithoutPointsOrVerificationItStillStands) {
  GraftRun run;
  EXPECT_TRUE(Holds(GraftPage(run), "</html>"));
  EXPECT_TRUE(nlohmann::json::accept(GraftJson(run)));
}

CompareRun SampleComparison() {
  CompareRun run;
  run.report.set_samples(3);
  for (const double bound : {3.0, 1.0, std::numeric_limits<double>::infinity()}) run.report.add_bound(bound);
  for (const double found : {0.5, 0.25, 0.75}) run.report.add_found(found);
  run.report.set_disagreement(0.0625);
  *run.report.mutable_base() = Measured(0.78, 0.3);
  *run.report.mutable_other() = Measured(0.75, 0.5);
  run.numbers.set_epsilon(0.5);
  run.files = {{"base", "a.onnx", "aa"}, {"other", "b.onnx", "bb"}};
  return run;
}

TEST(Compare, TextNamesBoundsDisagreementAndWhatHasNoBound) {
  const std::string text = CompareText(SampleComparison());
  for (const char* part :
       {"78.0 %", "75.0 %", "-3.0", "1 of 3 boxes have no bound", "6.25 %", "verified by search"}) {
    EXPECT_TRUE(Holds(text, part)) << part << "\n" << text;
  }
}

TEST(Compare, JsonHasNoInfinities) {
  const auto json = nlohmann::json::parse(CompareJson(SampleComparison()));
  EXPECT_EQ(json["bound"][0], 3);
  EXPECT_TRUE(json["bound"][2].is_null());
  EXPECT_EQ(json["numbers"]["epsilon"], 0.5);
  EXPECT_EQ(json["other"]["verified"], 0.5);
}

TEST(Compare, PageStandsAlone) {
  const std::string page = ComparePage(SampleComparison());
  EXPECT_TRUE(Holds(page, "a.onnx and b.onnx"));
  EXPECT_TRUE(Holds(page, "1 of 3 boxes have no bound"));
  EXPECT_FALSE(Holds(page, "inf"));
  EXPECT_FALSE(Holds(page, "http"));
}

TEST(Charts, NiceCeilings) {
  EXPECT_EQ(NiceCeiling(0.3), 0.5);
  EXPECT_EQ(NiceCeiling(1), 1);
  EXPECT_EQ(NiceCeiling(101), 200);
  EXPECT_EQ(NiceCeiling(0), 1);
  EXPECT_EQ(NiceCeiling(std::numeric_limits<double>::quiet_NaN()), 1);
}

TEST(Charts, NamesInDrawingsAreEscaped) {
  BarChart chart{.title = "\"<t>\"", .series = {"a<b"}, .rows = {{"<x>", {1}}}};
  const std::string svg = Draw(chart);
  EXPECT_FALSE(Holds(svg, "<x>"));
  EXPECT_FALSE(Holds(svg, "<t>"));
  EXPECT_TRUE(Holds(svg, "&lt;x&gt;"));
}

}  // namespace
}  // namespace espalier::client::report
