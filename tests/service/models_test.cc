// The models that a server keeps, over the wire and by espalier models.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/strip.h"
#include "proto/digest.h"
#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

class Models : public testing::Test {
 protected:
  Models() { Start(); }
  void Start() {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(
        std::vector<std::string>{"--listen", Address(), "--data-dir", directory_.Path("data")});
    client_ = std::make_unique<Client>(server_->address());
  }
  void KillAndStart() {
    server_->process().Signal(SIGKILL);
    ASSERT_EQ(server_->process().Wait(), -SIGKILL);
    Start();
  }
  std::string Address() const { return "unix:" + directory_.Path("socket"); }

  std::string Upload(const std::string& bytes, v1::BlobKind kind = v1::BLOB_KIND_ONNX_MODEL) {
    v1::UploadBlobHeader header;
    header.set_kind(kind);
    header.set_sha256(proto::Sha256Hex(bytes));
    header.set_size(static_cast<int64_t>(bytes.size()));
    v1::UploadBlobResponse response;
    const grpc::Status status = client_->Upload(header, bytes, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return header.sha256();
  }
  grpc::Status List(v1::ListModelsResponse& response, int page_size = 0, const std::string& token = "") {
    v1::ListModelsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    grpc::ClientContext context;
    return client_->stub().ListModels(&context, request, &response);
  }
  std::vector<std::string> Listed() {
    v1::ListModelsResponse response;
    EXPECT_TRUE(List(response).ok());
    std::vector<std::string> digests;
    for (const v1::StoredModel& model : response.models()) digests.push_back(model.sha256());
    return digests;
  }
  grpc::Status Show(const std::string& sha256, v1::StoredModel& model) {
    v1::GetModelRequest request;
    request.set_sha256(sha256);
    grpc::ClientContext context;
    return client_->stub().GetModel(&context, request, &model);
  }
  grpc::Status Delete(const std::string& sha256, v1::DeleteModelResponse* out = nullptr) {
    v1::DeleteModelRequest request;
    request.set_sha256(sha256);
    grpc::ClientContext context;
    v1::DeleteModelResponse response;
    const grpc::Status status = client_->stub().DeleteModel(&context, request, &response);
    if (out != nullptr) *out = response;
    return status;
  }

  struct Output {
    std::string text;
    int status = -1;
  };
  Output Call(std::vector<std::string> arguments, bool with_stderr = false) const {
    arguments.insert(arguments.begin(), {ESPALIER, "models"});
    arguments.insert(arguments.end(), {"--server", Address()});
    Process process(arguments, with_stderr);
    Output output;
    output.text = process.ReadAll();
    output.status = process.Wait().value_or(-1);
    return output;
  }

  const std::string digits_ = ReadFile(ModelPath("digits.onnx"));
  TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(Models, AreThoseThatWereUploadedOrThatJobsNeed) {
  EXPECT_TRUE(Listed().empty());
  const std::string uploaded = Upload(digits_);
  Upload(EndlessQuery(), v1::BLOB_KIND_VNNLIB_QUERY);
  ASSERT_TRUE(client_->Verify(TinySat()).status.ok()) << "what a call carries along is not kept";
  EXPECT_EQ(Listed(), std::vector<std::string>{uploaded});
  const std::string job = Submit(*client_, JobOf(TinyUnsat()));
  Watch(*client_, job);
  const std::vector<std::string> both = Listed();
  EXPECT_EQ(both.size(), 2U);
  KillAndStart();
  EXPECT_EQ(Listed(), both) << "with what is known of them";
}

TEST_F(Models, ComeInPages) {
  std::vector<std::string> digests;
  for (int i = 0; i < 5; ++i) digests.push_back(Upload("model " + std::to_string(i)));
  std::sort(digests.begin(), digests.end());
  v1::ListModelsResponse page;
  std::vector<std::string> found;
  do {
    ASSERT_TRUE(List(page, 2, page.next_page_token()).ok());
    ASSERT_LE(page.models_size(), 2);
    for (const v1::StoredModel& model : page.models()) found.push_back(model.sha256());
    // One that goes between two pages moves none of the others.
    if (found.size() == 2) {
      EXPECT_TRUE(Delete(digests[0]).ok());
    }
  } while (!page.next_page_token().empty());
  EXPECT_EQ(found, digests);
  EXPECT_EQ(page.held_bytes(), 4 * 7);
  EXPECT_EQ(page.quota_bytes(), int64_t{4} << 30);
  EXPECT_EQ(List(page, 1001).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(List(page, -1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(List(page, 0, "3").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Models, OneIsShownWithWhatItIs) {
  const std::string digest = Upload(digits_);
  v1::StoredModel model;
  ASSERT_TRUE(Show(digest, model).ok());
  EXPECT_EQ(model.size(), static_cast<int64_t>(digits_.size()));
  EXPECT_GT(model.added_s(), 1.7e9);
  EXPECT_GE(model.used_s(), model.added_s());
  EXPECT_FALSE(model.in_use());
  EXPECT_EQ(model.description().parameters(), 8170);
  EXPECT_FALSE(model.has_error());
  v1::StoredModel broken;
  ASSERT_TRUE(Show(Upload("no model"), broken).ok());
  EXPECT_FALSE(broken.has_description());
  EXPECT_EQ(broken.error().code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  const grpc::Status unknown = Show(proto::Sha256Hex("nothing"), model);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DetailOf(unknown).reason(), "UNKNOWN_BLOB");
  EXPECT_EQ(Show("../espalier.db", model).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::string query = Upload(EndlessQuery(), v1::BLOB_KIND_VNNLIB_QUERY);
  EXPECT_EQ(Show(query, model).error_code(), grpc::StatusCode::NOT_FOUND) << "it is no model";
  EXPECT_EQ(Delete(query).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(Models, OneThatIsDeletedIsGoneForGood) {
  const std::string digest = Upload(digits_);
  v1::DeleteModelResponse response;
  ASSERT_TRUE(Delete(digest, &response).ok());
  EXPECT_EQ(response.size(), static_cast<int64_t>(digits_.size()));
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("data/blobs/" + digest)));
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_model()->set_sha256(digest);
  EXPECT_EQ(DetailOf(client_->Verify(request).status).reason(), "UNKNOWN_BLOB");
  EXPECT_EQ(Delete(digest).error_code(), grpc::StatusCode::NOT_FOUND);
  KillAndStart();
  EXPECT_TRUE(Listed().empty());
  EXPECT_EQ(Upload(digits_), digest) << "and can be uploaded again";
  EXPECT_EQ(Listed().size(), 1U);
}

TEST_F(Models, OneInUseStays) {
  v1::VerifyRequest endless = Endless();
  const std::string digest = Upload(endless.model().inline_bytes());
  endless.mutable_model()->set_sha256(digest);
  const auto expect_refused = [&] {
    const grpc::Status refused = Delete(digest);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(DetailOf(refused).reason(), "MODEL_IN_USE");
    v1::ListModelsResponse list;
    EXPECT_TRUE(List(list).ok());
    EXPECT_TRUE(list.models_size() == 1 && list.models(0).in_use());
  };
  {
    OpenVerify call(*client_, endless);
    ASSERT_TRUE(call.WaitForProgress());
    expect_refused();
  }
  const std::string job = Submit(*client_, JobOf(endless));
  ASSERT_TRUE(WaitForProgress(*client_, job));
  expect_refused();
  KillAndStart();
  expect_refused();
  v1::CancelRequest cancel;
  cancel.set_job_id(job);
  v1::CancelResponse cancelled;
  grpc::ClientContext context;
  ASSERT_TRUE(client_->stub().Cancel(&context, cancel, &cancelled).ok());
  EXPECT_TRUE(Eventually([&] { return Delete(digest).ok(); }));
  v1::Job ended;
  EXPECT_TRUE(Get(*client_, job, ended).ok()) << "its jobs stay";
}

TEST_F(Models, WithoutADataDirectoryTheyAreInMemory) {
  server_.reset();
  server_ = std::make_unique<ServerProcess>(std::vector<std::string>{"--listen", Address()});
  client_ = std::make_unique<Client>(server_->address());
  const std::string digest = Upload(digits_);
  EXPECT_EQ(Listed(), std::vector<std::string>{digest});
  v1::StoredModel model;
  EXPECT_TRUE(Show(digest, model).ok());
  EXPECT_EQ(model.description().parameters(), 8170);
  EXPECT_TRUE(Delete(digest).ok());
  EXPECT_TRUE(Listed().empty());
}

TEST_F(Models, TheCommandAddsListsShowsAndDeletes) {
  const Output added = Call({"--upload", ModelPath("digits.onnx")});
  EXPECT_EQ(added.status, 0);
  const std::string digest(absl::StripSuffix(added.text, "\n"));
  EXPECT_EQ(digest, proto::Sha256Hex(digits_));
  const Output list = Call({}, /*with_stderr=*/true);
  EXPECT_NE(list.text.find("no      " + digest), std::string::npos) << list.text;
  EXPECT_NE(list.text.find("1 model; all files: 33.0 kB of 4.3 GB"), std::string::npos) << list.text;
  const Output shown = Call({digest});
  EXPECT_NE(shown.text.find("8170 parameters"), std::string::npos) << shown.text;
  EXPECT_NE(Call({"--json"}).text.find("{\"sha256\":\"" + digest), std::string::npos);
  EXPECT_NE(Call({digest, "--json"}).text.find("\"parameters\":\"8170\""), std::string::npos);
  const Output removed = Call({digest, "--delete"});
  EXPECT_EQ(removed.status, 0);
  EXPECT_EQ(removed.text, "");
  EXPECT_EQ(Call({digest}).status, 3);
  EXPECT_EQ(Call({digest.substr(0, 8)}).status, 3);
  EXPECT_EQ(Call({"--delete"}).status, 2);
  EXPECT_EQ(Call({digest, "--upload", "x"}).status, 2);
  EXPECT_EQ(Call({"--upload", directory_.Path("none")}).status, 3);
}

}  // namespace
}  // namespace espalier::service_test
