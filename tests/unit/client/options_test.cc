#include "client/options.h"

#include <gtest/gtest.h>

#include "espalier/v1/options.pb.h"
#include "espalier/v1/training.pb.h"

namespace espalier::client {
namespace {

TEST(Options, SetsByNameAndType) {
  v1::Options options;
  ASSERT_TRUE(SetOption("timeout_s=1.5", options).ok());
  ASSERT_TRUE(SetOption("seed=4611686018427387904", options).ok());
  EXPECT_EQ(options.timeout_s(), 1.5);
  EXPECT_EQ(options.seed(), int64_t{4611686018427387904});
  EXPECT_FALSE(options.has_threads());
}

TEST(Options, RefusesUnknownNamesAndWrongValues) {
  v1::Options options;
  const absl::Status unknown = SetOption("speed=9", options);
  EXPECT_NE(unknown.message().find("max_domains"), std::string::npos) << "the known names are listed";
  for (const char* text : {"threads", "threads=", "threads=two", "threads=1.5", "timeout_s=soon"}) {
    EXPECT_FALSE(SetOption(text, options).ok()) << text;
  }
}

TEST(Options, TheFirstMessageThatHasTheFieldTakesIt) {
  v1::GraftOptions graft;
  v1::TrainOptions train;
  ASSERT_TRUE(SetOption("epochs=3", {&graft, &train}).ok());
  ASSERT_TRUE(SetOption("ratio=0.25", {&graft, &train}).ok());
  EXPECT_EQ(train.epochs(), 3);
  EXPECT_EQ(graft.ratio(), 0.25);
  const absl::Status unknown = SetOption("timeout_s=1", {&graft, &train});
  EXPECT_NE(unknown.message().find("score_samples"), std::string::npos);
  EXPECT_NE(unknown.message().find("momentum"), std::string::npos);
}

}  // namespace
}  // namespace espalier::client
