#include "server/errors.h"

#include <gtest/gtest.h>

#include "espalier/v1/error.pb.h"

namespace espalier::server {
namespace {

TEST(Errors, CodesMessagesAndDetailsTravel) {
  const grpc::Status status = ToGrpc(absl::InvalidArgumentError("line 12, column 7: what"),
                                     {.reason = "INVALID_QUERY", .field = "query", .retry_delay_s = 2});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  v1::ErrorDetail detail;
  ASSERT_TRUE(details.details(0).UnpackTo(&detail));
  EXPECT_EQ(detail.reason(), "INVALID_QUERY");
  EXPECT_EQ(detail.field(), "query");
  EXPECT_EQ(detail.line(), 12);
  EXPECT_EQ(detail.column(), 7);
  EXPECT_EQ(detail.retry_delay_s(), 2);
}

TEST(Errors, EveryUnsupportedNodeIsListed) {
  const grpc::Status status =
      ToGrpc(absl::UnimplementedError("two nodes"),
             {.unsupported = {{"n1", "Erf", "no lowering"}, {"n2", "Loop", "no loops"}}});
  v1::StatusDetails details;
  v1::ErrorDetail detail;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_TRUE(details.details(0).UnpackTo(&detail));
  ASSERT_EQ(detail.unsupported_size(), 2);
  EXPECT_EQ(detail.unsupported(1).node(), "n2");
  EXPECT_EQ(detail.unsupported(1).op(), "Loop");
}

TEST(Errors, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus(), {.reason = "NONE"}).ok());
}

TEST(Errors, AFailureSurvivesTheWireWithItsContext) {
  const Failure failure(absl::InvalidArgumentError("line 3, column 4: no"),
                        {.reason = "INVALID_QUERY",
                         .field = "query",
                         .unsupported = {{"n1", "Erf", "no lowering"}},
                         .retry_delay_s = 2});
  const Failure back = FromDetails(failure.ToDetails());
  EXPECT_EQ(back.status(), failure.status());
  EXPECT_EQ(back.ToGrpc().error_details(), failure.ToGrpc().error_details());
}

}  // namespace
}  // namespace espalier::server
