// espalier graft: from a trained network to a grafted one with its report, resumable after a kill.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/service/training_data.h"

namespace espalier::service_test {
namespace {

using std::filesystem::exists;

const std::vector<std::string> kQuick = {"--epochs",          "3",  "--score-samples", "100",
                                         "--measure-samples", "20", "--threads",       "1"};

class Graft : public testing::Test {
 protected:
  // A base network, trained once.
  static void SetUpTestSuite() {
    folder_ = new HalvesFolder(1000);
    const Output output = CallEspalier(folder_->Train("base.onnx", {"--epochs", "10", "--threads", "1"}));
    ASSERT_EQ(output.status, 0) << output.text;
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::vector<std::string> Line(const std::string& name, const std::vector<std::string>& more) {
    return folder_->Graft(folder_->Path("base.onnx"), name, Joined(kQuick, more));
  }

  static HalvesFolder* folder_;
};
HalvesFolder* Graft::folder_ = nullptr;

TEST_F(Graft, GraftsExportsAndReports) {
  const Output output = CallEspalier(Line("half.onnx", {"--ratio", "0.5", "--curve", "0.25,0.75"}));
  ASSERT_EQ(output.status, 0) << output.text;
  EXPECT_NE(output.text.find("neurons grafted"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("clean accuracy"), std::string::npos) << output.text;
  const Output described = CallEspalier({"describe", folder_->Path("half.onnx"), "--json"});
  ASSERT_EQ(described.status, 0) << described.text;
  int64_t hinges = 0, neurons = 0;  // a line of slope 0 or 1 counts as neither hinge nor graft
  const auto description = nlohmann::json::parse(described.text);
  for (const auto& layer : description["layers"]) {
    hinges += layer["hinges"].get<int64_t>();
    neurons += layer["neurons"].get<int64_t>();
  }
  EXPECT_NEAR(static_cast<double>(hinges) / static_cast<double>(neurons), 0.5, 0.05) << described.text;

  const auto json = nlohmann::json::parse(ReadFile(folder_->Path("half.json")));
  EXPECT_EQ(json["points"].size(), 3U);
  EXPECT_EQ(json["points"].back()["ratio"], 0.5);
  EXPECT_EQ(json["train"]["epochs"], 3);
  EXPECT_EQ(json["train"]["learning_rate"], 0.03);
  EXPECT_EQ(json["train"]["attack_scale"], 1.25);
  EXPECT_EQ(json["model_sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(json["data_sha256"].get<std::string>().size(), 64U);
  EXPECT_GT(json["base"]["clean_accuracy"], 0.9);
  const std::string page = ReadFile(folder_->Path("half.html"));
  EXPECT_NE(page.find("</html>"), std::string::npos);
  EXPECT_NE(page.find(json["model_sha256"].get<std::string>()), std::string::npos);
  EXPECT_FALSE(exists(folder_->Path("half.onnx.checkpoint")));
}

TEST_F(Graft, SameSeedSameBytes) {
  ASSERT_EQ(CallEspalier(Line("a.onnx", {"--seed", "5"})).status, 0);
  ASSERT_EQ(CallEspalier(Line("b.onnx", {"--seed", "5"})).status, 0);
  EXPECT_EQ(ReadFile(folder_->Path("a.onnx")), ReadFile(folder_->Path("b.onnx")));
}

TEST_F(Graft, KilledRunGoesOnAndEndsWithTheSameBytes) {
  const std::vector<std::string> epochs = {"--epochs", "150"};
  ASSERT_EQ(CallEspalier(Line("whole.onnx", epochs)).status, 0);
  const std::string path = folder_->Path("cut.onnx");
  const Output killed = InterruptAfterCheckpoint(Line("cut.onnx", epochs), path, SIGKILL);
  ASSERT_EQ(killed.status, -SIGKILL) << "it ended before it was killed";
  ASSERT_TRUE(exists(path + ".checkpoint"));
  ASSERT_FALSE(exists(path));
  const Output resumed = CallEspalier(Line("cut.onnx", epochs));
  EXPECT_EQ(resumed.status, 0) << resumed.text;
  EXPECT_NE(resumed.text.find("going on from"), std::string::npos) << resumed.text;
  EXPECT_EQ(ReadFile(path), ReadFile(folder_->Path("whole.onnx")));
  EXPECT_FALSE(exists(path + ".checkpoint"));
}

TEST_F(Graft, GraftsUntilATargetIsMet) {
  const Output output = CallEspalier(Line("target.onnx", {"--target", "verified=0.01,seconds=5"}));
  ASSERT_EQ(output.status, 0) << output.text;
  const auto json = nlohmann::json::parse(ReadFile(folder_->Path("target.json")));
  EXPECT_EQ(json["graft"]["target_verified"], 0.01);
  EXPECT_EQ(json["graft"]["verify_timeout_s"], 5);
  EXPECT_GE(json["points"].back()["measurement"]["verified"], 0.01);
}

TEST_F(Graft, ANetworkWithoutReLUsIsRefused) {
  std::vector<std::string> linear = folder_->Train("linear.onnx", {"--epochs", "1"});
  linear[1] = "input 1x4x4; fc 2";
  ASSERT_EQ(CallEspalier(linear).status, 0);
  const Output output = CallEspalier(folder_->Graft(folder_->Path("linear.onnx"), "g.onnx", kQuick));
  EXPECT_EQ(output.status, 3) << output.text;
  EXPECT_NE(output.text.find("ReLU"), std::string::npos) << output.text;
  EXPECT_FALSE(exists(folder_->Path("g.onnx")));
}

TEST_F(Graft, WrongLinesAreRefused) {
  EXPECT_EQ(CallEspalier(Line("x.onnx", {"--ratio", "0.5", "--target", "verified=0.5"})).status, 2);
  EXPECT_EQ(CallEspalier(Line("x.onnx", {"--target", "seconds=5"})).status, 2);
  EXPECT_EQ(CallEspalier(Line("x.onnx", {"--significance", "luck"})).status, 2);
  EXPECT_EQ(CallEspalier(Line("x.onnx", {"--curve", "0.5,1.5"})).status, 2);
  EXPECT_EQ(CallEspalier(Line("x.onnx", {"--ratio", "1.5"})).status, 3);
  EXPECT_FALSE(exists(folder_->Path("x.onnx")));
}

}  // namespace
}  // namespace espalier::service_test
