#include "client/report/batch_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/report/axes.h"
#include "client/report/batch_sums.h"
#include "tests/unit/client/batch_samples.h"

namespace espalier::client::report {
namespace {

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

BatchRun SampleBatch() {
  BatchRun run;
  run.list = "lists/<a>.csv";
  run.instances = 5;
  run.command_line = "espalier batch 'a b.csv'";
  run.options.set_seed(42);
  run.records = {SampleRecord("unsat", 0.5, "p1"), SampleRecord("sat", 1.5, "p2"),
                 SampleRecord("timeout", 60, "p3"), SampleRecord("error", 0, "p4")};
  run.records[1].category = "mnist";
  return run;
}

TEST(BatchPage, HoldsEverythingAndRefersToNothing) {
  const std::string page = BatchPage(SampleBatch());
  for (const char* part : {"lists/&lt;a&gt;.csv", "2 of 5", "1 and 1", "mnist", "not run yet", "p3", "1.2.3",
                           "Test processor", "espalier batch &#39;a b.csv&#39;", "seed", "42",
                           "node &#39;&lt;n&gt;&#39; is a Softmax", "model not supported", "<svg"}) {
    EXPECT_TRUE(Holds(page, part)) << part;
  }
  for (const char* part : {"<a>", "<n>", "http://", "https://", "src=", "<script", "<link", "nan", "inf"}) {
    EXPECT_FALSE(Holds(page, part)) << part;
  }
}

TEST(BatchPage, AnEmptyBatchStillStands) {
  EXPECT_TRUE(Holds(BatchPage({}), "</html>"));
  EXPECT_TRUE(nlohmann::json::accept(BatchJson({})));
}

TEST(BatchJson, HoldsCountsAndRecordsWithoutWitnesses) {
  const auto json = nlohmann::json::parse(BatchJson(SampleBatch()));
  EXPECT_EQ(json["counts"]["unsat"], 1);
  EXPECT_EQ(json["counts"]["error"], 1);
  EXPECT_EQ(json["instances"], 5);
  EXPECT_EQ(json["records"].size(), 4U);
  EXPECT_EQ(json["records"][2]["result"], "timeout");
  EXPECT_FALSE(json["records"][2].contains("result_text"));
  EXPECT_EQ(json["options"]["seed"], 42);
}

TEST(BatchText, CountsByCategoryAndCause) {
  const std::string text = BatchText(SampleBatch());
  EXPECT_TRUE(
      Holds(text, "digits                         1       0       0       1       1       3      60.50"))
      << text;
  EXPECT_TRUE(Holds(text, "error: model not supported: 1\n"));
  EXPECT_TRUE(Holds(text, "1 of 5 instances were not run\n"));
}

TEST(ResultsCsv, IsTheCompetitionsTable) {
  EXPECT_EQ(ResultsCsv({SampleRecord("sat", 0.25)}), "digits,nets/a.onnx,props/q.vnnlib,0,sat,0.250000\n");
}

TEST(BatchSums, MedianAndCactus) {
  BatchSums::Sum sum;
  sum.each = {3, 1, 2, 10};
  EXPECT_EQ(sum.median(), 2.5);
  const Series series = CactusSeries("a", {3, 1, 2});
  ASSERT_EQ(series.points.size(), 3U);
  EXPECT_EQ(series.points[2].x, 3);
  EXPECT_EQ(series.points[2].y, 3);
  EXPECT_EQ(series.points[0].y, 1);
}

TEST(Axes, LogarithmicAxesHoldTheirValues) {
  const Axis axis = AxisOver({0.003, 40, 0}, /*log=*/true);
  EXPECT_DOUBLE_EQ(axis.min, 0.001);
  EXPECT_EQ(axis.max, 50);
  EXPECT_EQ(axis.Position(0), 0) << "what has no logarithm is at the edge";
  EXPECT_EQ(axis.Position(1000), 1);
  EXPECT_NEAR(axis.Position(0.001 * std::sqrt(50 / 0.001)), 0.5, 1e-9);
  EXPECT_EQ(axis.Ticks().size(), 5U) << "0.001 to 10";
  EXPECT_EQ(AxisOver({}, true).max, 1) << "an axis of nothing";
  EXPECT_EQ(AxisOver({3}, false).Ticks().back(), 5);
}

}  // namespace
}  // namespace espalier::client::report
