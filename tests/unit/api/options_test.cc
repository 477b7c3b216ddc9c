#include "verifier/api/options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace espalier::api {
namespace {

TEST(OptionsTest, DefaultsAreWithinTheirRanges) {
  EXPECT_TRUE(CheckOptions(Options{}).ok());
}

TEST(OptionsTest, EveryRowIsUniqueAndDescribed) {
  std::set<std::string> names;
  for (const OptionRow& row : OptionTable()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.meaning.empty()) << row.name;
    EXPECT_LE(row.minimum, row.default_value) << row.name;
    EXPECT_LE(row.default_value, row.maximum) << row.name;
    EXPECT_EQ(GetOption(Options{}, row.name), row.default_value) << row.name;
  }
}

TEST(OptionsTest, EveryRowCanBeSetToBothEndsOfItsRange) {
  for (const OptionRow& row : OptionTable()) {
    for (const double value : {row.minimum, row.maximum}) {
      Options options;
      ASSERT_TRUE(SetOption(options, row.name, value).ok()) << row.name;
      EXPECT_EQ(GetOption(options, row.name), value) << row.name;
      EXPECT_TRUE(CheckOptions(options).ok()) << row.name;
    }
  }
}

TEST(OptionsTest, OutOfRangeAndNanAreRefusedByName) {
  for (const OptionRow& row : OptionTable()) {
    Options options;
    for (const double value : {row.minimum - 1, row.maximum * 2 + 1, std::nan("")}) {
      const absl::Status status = SetOption(options, row.name, value);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << row.name;
      EXPECT_NE(status.message().find(row.name), absl::string_view::npos);
      EXPECT_EQ(GetOption(options, row.name), row.default_value) << row.name;
    }
  }
}

TEST(OptionsTest, CheckNamesTheFieldAndItsRange) {
  Options options;
  options.timeout_s = -1;
  const absl::Status status = CheckOptions(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("timeout_s"), absl::string_view::npos);
  options.timeout_s = std::nan("");
  EXPECT_FALSE(CheckOptions(options).ok());
  options.timeout_s = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(CheckOptions(options).ok());
}

TEST(OptionsTest, UnknownNames) {
  Options options;
  EXPECT_EQ(SetOption(options, "no_such_option", 1).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(std::isnan(GetOption(options, "no_such_option")));
}

}  // namespace
}  // namespace espalier::api
