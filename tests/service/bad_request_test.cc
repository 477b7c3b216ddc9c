// Wrong requests: a canonical code, a message for people, a detail for programs, and a server that goes on.
#include <gtest/gtest.h>

#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

class BadRequest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT); }

  // The error of a Verify call, which must be of `code`.
  v1::ErrorDetail Refused(const v1::VerifyRequest& request, grpc::StatusCode code) {
    const VerifyOutcome outcome = client_.Verify(request);
    EXPECT_EQ(outcome.status.error_code(), code) << outcome.status.error_message();
    EXPECT_FALSE(outcome.status.error_message().empty());
    EXPECT_EQ(outcome.result.answer(), v1::ANSWER_UNSPECIFIED);
    message_ = outcome.status.error_message();
    return DetailOf(outcome.status);
  }

  ServerProcess server_{{"--listen", "127.0.0.1:0"}};
  Client client_{server_.address()};
  std::string message_;
};

TEST_F(BadRequest, BytesThatAreNoModel) {
  v1::VerifyRequest request = TinySat();
  request.mutable_model()->set_inline_bytes("this is no ONNX file");
  const v1::ErrorDetail detail = Refused(request, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(detail.reason(), "INVALID_MODEL");
  EXPECT_EQ(detail.field(), "model");
}

TEST_F(BadRequest, QueryErrorNamesLineAndColumn) {
  v1::VerifyRequest request = TinySat();
  request.mutable_query()->set_inline_bytes("(declare-const X_0 Real)\n(assert (<= X_0 Z_9))\n");
  const v1::ErrorDetail detail = Refused(request, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(detail.reason(), "INVALID_QUERY");
  EXPECT_EQ(detail.line(), 2) << message_;
  EXPECT_GT(detail.column(), 0) << message_;
}

TEST_F(BadRequest, OptionOutOfRangeIsNamed) {
  v1::VerifyRequest request = TinySat();
  request.mutable_options()->set_alpha_iterations(-1);
  const v1::ErrorDetail detail = Refused(request, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(detail.field(), "options");
  EXPECT_NE(message_.find("alpha_iterations"), std::string::npos) << message_;
}

TEST_F(BadRequest, UnknownDeviceMissingModelAndMalformedDigest) {
  v1::VerifyRequest request = TinySat();
  request.set_device("cuda:7");
  EXPECT_EQ(Refused(request, grpc::StatusCode::INVALID_ARGUMENT).field(), "device");
  request = TinySat();
  request.clear_model();
  EXPECT_EQ(Refused(request, grpc::StatusCode::INVALID_ARGUMENT).field(), "model");
  request = TinySat();
  request.mutable_query()->set_sha256("abc");
  EXPECT_EQ(Refused(request, grpc::StatusCode::INVALID_ARGUMENT).field(), "query");
}

TEST_F(BadRequest, ArrayOfTheWrongSizeAndBytesThatAreNoArray) {
  v1::EvaluateRequest request;
  request.mutable_model()->set_inline_bytes(ReadFile(ModelPath("tiny_max.onnx")));
  request.mutable_input()->set_inline_bytes("no array");
  v1::EvaluateResponse response;
  grpc::ClientContext context;
  const grpc::Status status = client_.stub().Evaluate(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf(status).reason(), "INVALID_ARRAY");
}

TEST_F(BadRequest, BoundsWithoutARegionOrWithAMissingBox) {
  v1::BoundsRequest request;
  request.mutable_model()->set_inline_bytes(ReadFile(ModelPath("tiny_max.onnx")));
  v1::BoundsResponse response;
  {
    grpc::ClientContext context;
    const grpc::Status status = client_.stub().Bounds(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(DetailOf(status).field(), "region");
  }
  request.mutable_query()->set_inline_bytes(ReadFile(QueryPath("tiny_max_sat.vnnlib")));
  request.set_box_index(99);
  grpc::ClientContext context;
  const grpc::Status status = client_.stub().Bounds(&context, request, &response);
  EXPECT_EQ(DetailOf(status).field(), "box_index");
}

TEST_F(BadRequest, AMessageOverTheLimit) {
  v1::VerifyRequest request = TinySat();
  request.mutable_model()->set_inline_bytes(std::string(5 << 20, 'x'));
  EXPECT_EQ(client_.Verify(request).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace espalier::service_test
