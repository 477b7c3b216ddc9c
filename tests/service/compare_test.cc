// espalier compare and the Compare call.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/service/training_data.h"

namespace espalier::service_test {
namespace {

class Compare : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new HalvesFolder;
    for (const char* seed : {"1", "2"}) {
      const Output output = CallEspalier(
          folder_->Train(std::string(seed) + ".onnx", {"--epochs", "5", "--seed", seed, "--threads", "1"}));
      ASSERT_EQ(output.status, 0) << output.text;
    }
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::vector<std::string> Line(const std::string& base, const std::string& other,
                                       const std::vector<std::string>& more) {
    return Joined(Joined({"compare", folder_->Path(base), folder_->Path(other), "--quiet"}, folder_->Data()),
                  more);
  }

  static HalvesFolder* folder_;
};
HalvesFolder* Compare::folder_ = nullptr;

TEST_F(Compare, BoundsHoldWhatWasFound) {
  const std::string page = folder_->Path("compare.html");
  const Output output =
      CallEspalier(Line("1.onnx", "2.onnx", {"--samples", "10", "--json", "--report", page}));
  ASSERT_EQ(output.status, 0) << output.text;
  const auto json = nlohmann::json::parse(output.text);
  ASSERT_EQ(json["bound"].size(), 10U);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_GT(json["found"][i].get<double>(), 0);
    EXPECT_LE(json["found"][i].get<double>(), json["bound"][i].get<double>()) << i;
  }
  EXPECT_GT(json["base"]["clean_accuracy"], 0.9);
  EXPECT_NE(ReadFile(page).find("Two networks compared"), std::string::npos);
}

TEST_F(Compare, ANetworkDoesNotDifferFromItself) {
  const Output output = CallEspalier(Line("1.onnx", "1.onnx", {"--samples", "5", "--json"}));
  ASSERT_EQ(output.status, 0) << output.text;
  const auto json = nlohmann::json::parse(output.text);
  EXPECT_EQ(json["disagreement"], 0);
  for (const auto& found : json["found"]) EXPECT_LT(found.get<double>(), 1e-6);
}

TEST_F(Compare, PrintsATable) {
  const Output output = CallEspalier(Line("1.onnx", "2.onnx", {"--samples", "5"}));
  ASSERT_EQ(output.status, 0) << output.text;
  for (const char* part : {"clean accuracy", "at most (certified)", "at least (found)", "predicted class"}) {
    EXPECT_NE(output.text.find(part), std::string::npos) << part << "\n" << output.text;
  }
}

TEST_F(Compare, ErrorsNameTheField) {
  ServerProcess server({"--listen", "127.0.0.1:0"});
  Client client(server.address());
  const auto field = [&client](auto change) {
    v1::CompareRequest request;
    request.mutable_base()->set_inline_bytes(ReadFile(folder_->Path("1.onnx")));
    request.mutable_other()->set_inline_bytes(ReadFile(folder_->Path("2.onnx")));
    request.mutable_data()->mutable_data()->set_inline_bytes(HalfImages(20));
    request.mutable_data()->mutable_labels()->set_inline_bytes(HalfLabels(20));
    change(request);
    grpc::ClientContext context;
    const auto reader = client.stub().Compare(&context, request);
    v1::TrainEvent event;
    while (reader->Read(&event)) continue;
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    return DetailOf(status).field();
  };
  using R = v1::CompareRequest;
  EXPECT_EQ(field([](R& r) { r.clear_base(); }), "base");
  EXPECT_EQ(field([](R& r) { r.mutable_other()->set_inline_bytes("x"); }), "other");
  EXPECT_EQ(field([](R& r) { r.mutable_other()->set_inline_bytes(ReadFile(ModelPath("digits.onnx"))); }),
            "other");
  EXPECT_EQ(field([](R& r) { r.set_epsilon(-1); }), "epsilon");
  EXPECT_EQ(field([](R& r) { r.set_epsilon(std::nan("")); }), "epsilon");
  EXPECT_EQ(field([](R& r) { r.set_low(2); }), "low");
  EXPECT_EQ(field([](R& r) { r.set_samples(0); }), "samples");
}

}  // namespace
}  // namespace espalier::service_test
