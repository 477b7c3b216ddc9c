#include "proto/convert.h"

#include <gtest/gtest.h>

#include <limits>

namespace espalier::proto {
namespace {

TEST(Convert, NothingSetMeansEveryDefault) {
  const auto options = OptionsFromProto(v1::Options());
  ASSERT_TRUE(options.ok());
  for (const api::OptionRow& row : api::OptionTable()) {
    EXPECT_EQ(api::GetOption(*options, row.name), row.default_value) << row.name;
  }
}

TEST(Convert, EveryOptionSurvivesTheRoundTrip) {
  api::Options options;
  for (const api::OptionRow& row : api::OptionTable()) {
    ASSERT_TRUE(
        api::SetOption(options, row.name, row.default_value == row.minimum ? row.maximum : row.minimum).ok());
  }
  const auto back = OptionsFromProto(ToProto(options));
  ASSERT_TRUE(back.ok()) << back.status();
  for (const api::OptionRow& row : api::OptionTable()) {
    EXPECT_EQ(api::GetOption(*back, row.name), api::GetOption(options, row.name)) << row.name;
  }
}

TEST(Convert, AZeroThatWasSetIsNotTheDefault) {
  v1::Options message;
  message.set_attack(0);
  EXPECT_EQ(OptionsFromProto(message)->attack, 0);
}

TEST(Convert, OutOfRangeAndNaNAreRefusedByName) {
  v1::Options message;
  message.set_timeout_s(-1);
  const auto options = OptionsFromProto(message);
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(options.status().message().find("timeout_s"), std::string::npos);
  message.set_timeout_s(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(OptionsFromProto(message).ok());
}

TEST(Convert, VerdictsKeepAnswerLimitAndWitness) {
  api::Witness witness;
  witness.input = {0.1, -2};
  witness.output = {3};
  witness.rounded = true;
  const v1::VerifyResult sat = ToProto(api::Verdict::Falsified(witness));
  EXPECT_EQ(sat.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(sat.limit(), v1::LIMIT_UNSPECIFIED);
  EXPECT_EQ(sat.witness().input(0), 0.1);
  EXPECT_EQ(sat.witness().output(0), 3);
  EXPECT_TRUE(sat.witness().rounded());
  EXPECT_EQ(ToProto(api::Verdict::Verified()).answer(), v1::ANSWER_UNSAT);
  api::Verdict unknown = api::Verdict::Unknown(api::Limit::kMemory, "too large");
  unknown.statistics.root_bound = std::numeric_limits<double>::infinity();
  unknown.statistics.seconds["root"] = 2;
  unknown.warnings = {"w"};
  const v1::VerifyResult message = ToProto(unknown);
  EXPECT_EQ(message.answer(), v1::ANSWER_UNKNOWN);
  EXPECT_EQ(message.limit(), v1::LIMIT_MEMORY);
  EXPECT_EQ(message.reason(), "too large");
  EXPECT_EQ(message.statistics().root_bound(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(message.statistics().seconds().at("root"), 2);
  EXPECT_EQ(message.warnings(0), "w");
}

}  // namespace
}  // namespace espalier::proto
