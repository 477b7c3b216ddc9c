#include "proto/convert_training.h"

#include <gtest/gtest.h>

#include <limits>

namespace espalier::proto {
namespace {

// Every row at an end of its range that is not its default.
template <class Options>
Options FarFromDefault(const std::vector<api::OptionRow>& table) {
  Options options;
  for (const api::OptionRow& row : table) {
    EXPECT_TRUE(
        api::SetOption(options, row.name, row.default_value == row.minimum ? row.maximum : row.minimum).ok());
  }
  return options;
}

TEST(ConvertTraining, NothingSetMeansEveryDefault) {
  const auto train = TrainOptionsFromProto(v1::TrainOptions());
  const auto graft = GraftOptionsFromProto(v1::GraftOptions());
  ASSERT_TRUE(train.ok() && graft.ok());
  for (const api::OptionRow& row : api::TrainOptionTable()) {
    EXPECT_EQ(api::GetOption(*train, row.name), row.default_value) << row.name;
  }
  for (const api::OptionRow& row : api::GraftOptionTable()) {
    EXPECT_EQ(api::GetOption(*graft, row.name), row.default_value) << row.name;
  }
}

TEST(ConvertTraining, EveryOptionSurvivesTheRoundTrip) {
  const auto train = FarFromDefault<api::TrainOptions>(api::TrainOptionTable());
  const auto train_back = TrainOptionsFromProto(ToProto(train));
  ASSERT_TRUE(train_back.ok()) << train_back.status();
  for (const api::OptionRow& row : api::TrainOptionTable()) {
    EXPECT_EQ(api::GetOption(*train_back, row.name), api::GetOption(train, row.name)) << row.name;
  }
  const auto graft = FarFromDefault<api::GraftOptions>(api::GraftOptionTable());
  const auto graft_back = GraftOptionsFromProto(ToProto(graft));
  ASSERT_TRUE(graft_back.ok()) << graft_back.status();
  for (const api::OptionRow& row : api::GraftOptionTable()) {
    EXPECT_EQ(api::GetOption(*graft_back, row.name), api::GetOption(graft, row.name)) << row.name;
  }
}

TEST(ConvertTraining, OutOfRangeAndNaNAreRefusedByName) {
  v1::TrainOptions train;
  train.set_epochs(-1);
  const auto negative = TrainOptionsFromProto(train);
  EXPECT_EQ(negative.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(negative.status().message().find("option epochs"), std::string::npos);
  v1::GraftOptions graft;
  graft.set_ratio(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(GraftOptionsFromProto(graft).ok());
}

// Different numbers everywhere, so that swapped fields are seen.
api::Measurement Numbered(double start) {
  return {.samples = static_cast<int64_t>(start),
          .clean_accuracy = start + 1,
          .attacked_accuracy = start + 2,
          .verify_samples = static_cast<int64_t>(start) + 3,
          .root_verified = start + 4,
          .verified = start + 5,
          .falsified = start + 6,
          .undecided = start + 7,
          .median_seconds = start + 8,
          .total_seconds = start + 9,
          .mean_domains = start + 10};
}

void ExpectNumbered(const v1::Measurement& message, double start) {
  EXPECT_EQ(static_cast<double>(message.samples()), start);
  EXPECT_EQ(message.clean_accuracy(), start + 1);
  EXPECT_EQ(message.attacked_accuracy(), start + 2);
  EXPECT_EQ(static_cast<double>(message.verify_samples()), start + 3);
  EXPECT_EQ(message.root_verified(), start + 4);
  EXPECT_EQ(message.verified(), start + 5);
  EXPECT_EQ(message.falsified(), start + 6);
  EXPECT_EQ(message.undecided(), start + 7);
  EXPECT_EQ(message.median_seconds(), start + 8);
  EXPECT_EQ(message.total_seconds(), start + 9);
  EXPECT_EQ(message.mean_domains(), start + 10);
}

TEST(ConvertTraining, ReportsKeepEveryField) {
  api::GraftReport report;
  report.train.seed = 7;
  report.graft.ratio = 0.25;
  report.version = "v";
  report.processor = "p";
  report.data_sha256 = "d";
  report.evaluation_sha256 = "e";
  report.model_sha256 = "m";
  report.layers = {{"relu", 9, 1, 4, 5.5, 2.5}};
  report.base = Numbered(100);
  report.points = {{0.25, Numbered(200)}, {0.5, Numbered(300)}};
  report.seconds = 12;
  report.warnings = {"w"};
  const v1::GraftReport message = ToProto(report);
  EXPECT_EQ(message.train().seed(), 7);
  EXPECT_EQ(message.graft().ratio(), 0.25);
  EXPECT_EQ(message.version() + message.processor(), "vp");
  EXPECT_EQ(message.data_sha256() + message.evaluation_sha256() + message.model_sha256(), "dem");
  ASSERT_EQ(message.layers_size(), 1);
  EXPECT_EQ(message.layers(0).name(), "relu");
  EXPECT_EQ(message.layers(0).neurons(), 9);
  EXPECT_EQ(message.layers(0).grafted_before(), 1);
  EXPECT_EQ(message.layers(0).grafted_after(), 4);
  EXPECT_EQ(message.layers(0).unstable_before(), 5.5);
  EXPECT_EQ(message.layers(0).unstable_after(), 2.5);
  ExpectNumbered(message.base(), 100);
  ASSERT_EQ(message.points_size(), 2);
  EXPECT_EQ(message.points(1).ratio(), 0.5);
  ExpectNumbered(message.points(1).measurement(), 300);
  EXPECT_EQ(message.seconds(), 12);
  EXPECT_EQ(message.warnings(0), "w");
}

TEST(ConvertTraining, DifferencesKeepInfinity) {
  api::DifferenceBounds bounds;
  bounds.samples = 2;
  bounds.bound = {1.5, std::numeric_limits<double>::infinity()};
  bounds.found = {0.5, 0.75};
  bounds.disagreement = 0.125;
  bounds.base = Numbered(10);
  bounds.other = Numbered(50);
  const v1::DifferenceReport message = ToProto(bounds);
  EXPECT_EQ(message.samples(), 2);
  EXPECT_EQ(message.bound(1), std::numeric_limits<double>::infinity());
  EXPECT_EQ(message.found(1), 0.75);
  EXPECT_EQ(message.disagreement(), 0.125);
  ExpectNumbered(message.base(), 10);
  ExpectNumbered(message.other(), 50);
}

TEST(ConvertTraining, ProgressKeepsEveryField) {
  const v1::TrainProgress message = ToProto(api::TrainProgress{"fit", 1, 2, 3, 4.5, 5.5, 0.5, "m"});
  EXPECT_EQ(message.stage() + message.message(), "fitm");
  EXPECT_EQ(message.done() * 100 + message.total() * 10 + message.epoch(), 123);
  EXPECT_EQ(message.seconds(), 4.5);
  EXPECT_EQ(message.loss(), 5.5);
  EXPECT_EQ(message.accuracy(), 0.5);
}

}  // namespace
}  // namespace espalier::proto
