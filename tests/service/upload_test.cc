// Uploads: content-addressed, idempotent, checked, within a quota.
#include <gtest/gtest.h>

#include "proto/digest.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

v1::UploadBlobHeader HeaderFor(const std::string& bytes) {
  v1::UploadBlobHeader header;
  header.set_kind(v1::BLOB_KIND_ONNX_MODEL);
  header.set_sha256(proto::Sha256Hex(bytes));
  header.set_size(static_cast<int64_t>(bytes.size()));
  return header;
}

class Upload : public testing::Test {
 protected:
  ServerProcess server_{{"--listen", "127.0.0.1:0", "--blob-quota", "1000000"}};
  Client client_{server_.address()};
  v1::UploadBlobResponse response_;
};

TEST_F(Upload, SecondTimeIsAnsweredWithoutChunks) {
  const std::string bytes = ReadFile(ModelPath("digits.onnx"));
  const v1::UploadBlobHeader header = HeaderFor(bytes);
  ASSERT_TRUE(client_.Upload(header, bytes, response_).ok());
  EXPECT_FALSE(response_.already_known());
  EXPECT_EQ(response_.size(), header.size());
  ASSERT_TRUE(client_.Upload(header, "", response_).ok());
  EXPECT_TRUE(response_.already_known());
  EXPECT_EQ(response_.sha256(), header.sha256());
}

TEST_F(Upload, ServesByDigestAfterwards) {
  const std::string bytes = ReadFile(ModelPath("digits.onnx"));
  v1::DescribeModelRequest request;
  request.mutable_model()->set_sha256(proto::Sha256Hex(bytes));
  v1::DescribeModelResponse described;
  {
    grpc::ClientContext context;
    const grpc::Status missing = client_.stub().DescribeModel(&context, request, &described);
    EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(DetailOf(missing).reason(), "UNKNOWN_BLOB");
  }
  ASSERT_TRUE(client_.Upload(HeaderFor(bytes), bytes, response_).ok());
  grpc::ClientContext context;
  ASSERT_TRUE(client_.stub().DescribeModel(&context, request, &described).ok());
  EXPECT_EQ(described.description().layers_size(), 2);
  EXPECT_EQ(described.description().parameters(), 8170);
}

TEST_F(Upload, RefusesAWrongDigest) {
  v1::UploadBlobHeader header = HeaderFor("other bytes");
  const grpc::Status status = client_.Upload(header, "these bytes", response_);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf(status).reason(), "WRONG_DIGEST");
}

TEST_F(Upload, RefusesMoreAndFewerBytesThanPromised) {
  v1::UploadBlobHeader header = HeaderFor("abcdef");
  for (const std::string bytes : {"abc", "abcdefg"}) {
    const grpc::Status status = client_.Upload(header, bytes, response_, 2);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << bytes;
    EXPECT_EQ(DetailOf(status).reason(), "WRONG_SIZE") << bytes;
  }
}

TEST_F(Upload, RefusesWhatIsOverTheQuota) {
  v1::UploadBlobHeader header = HeaderFor("x");
  header.set_size(1'000'001);
  const grpc::Status status = client_.Upload(header, "x", response_);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GT(DetailOf(status).retry_delay_s(), 0);
  header.set_size(int64_t{1} << 40);
  EXPECT_EQ(client_.Upload(header, "x", response_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Upload, RefusesAChunkWithoutHeaderAndASecondHeader) {
  v1::UploadBlobRequest chunk, header;
  chunk.set_chunk("abc");
  *header.mutable_header() = HeaderFor("abc");
  for (const auto& [first, second] : {std::pair(chunk, header), std::pair(header, header)}) {
    grpc::ClientContext context;
    const auto writer = client_.stub().UploadBlob(&context, &response_);
    writer->Write(first);
    writer->Write(second);
    writer->WritesDone();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Upload, RefusesAMessageOverFourMebibytes) {
  const std::string bytes(5 << 20, 'x');
  v1::UploadBlobHeader header = HeaderFor("x");
  header.set_size(1'000'000);
  EXPECT_EQ(client_.Upload(header, bytes, response_, bytes.size()).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace espalier::service_test
