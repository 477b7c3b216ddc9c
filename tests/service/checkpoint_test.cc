// Searches that are cut off by a kill, a drain, a limit or a cancellation, and go on from their checkpoints.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

// Unsat, by some ten thousand domains when bounds are made so weak: a few seconds.
v1::VerifyRequest Long() {
  std::string query = EndlessQuery();
  const std::string hard = "Y_0 -24.0", easier = "Y_0 -98.0";
  query.replace(query.find(hard), hard.size(), easier);
  v1::VerifyRequest request = Request("digits.onnx", query);
  v1::Options& options = *request.mutable_options();
  options.set_timeout_s(300);
  options.set_attack(0);
  options.set_alpha_iterations(0);
  options.set_intermediate_iterations(0);
  options.set_split_iterations(1);
  options.set_batch(2);
  options.set_threads(1);
  return request;
}

class Checkpoint : public testing::Test {
 protected:
  void Start(const std::string& interval = "0.05") {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(
        std::vector<std::string>{"--listen", "unix:" + directory_.Path("socket"), "--data-dir", Data(),
                                 "--checkpoint-interval", interval, "--drain-timeout", "0.1"});
    ASSERT_NE(server_->address(), "");
    client_ = std::make_unique<Client>(server_->address());
  }
  std::string Data() const { return directory_.Path("data"); }
  bool Saved(const std::string& job) const {
    return std::filesystem::exists(std::filesystem::path(Data()) / "checkpoints" / job);
  }
  bool WaitUntilSaved(const std::string& job) const {
    return Eventually([&] { return Saved(job); });
  }
  void ExpectResumedProof(const std::string& job) {
    const v1::JobFinished finished = Watch(*client_, job).finished();
    ASSERT_EQ(finished.state(), v1::JOB_STATE_DONE) << finished.error().message();
    const v1::VerifyResult& result = finished.result();
    EXPECT_EQ(result.answer(), v1::ANSWER_UNSAT) << result.reason();
    EXPECT_EQ(result.warnings_size(), 0);
    ASSERT_TRUE(result.statistics().counters().contains("resumed_domains")) << "from the beginning";
    EXPECT_GT(result.statistics().counters().at("resumed_domains"), 0);
    // The answer is there a little earlier.
    EXPECT_TRUE(Eventually([&] { return !Saved(job); })) << "an answer leaves nothing to go on with";
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(Checkpoint, AKilledServerGoesOn) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string job = Submit(*client_, JobOf(Long()));
  ASSERT_TRUE(WaitUntilSaved(job));
  server_->process().Signal(SIGKILL);
  ASSERT_NO_FATAL_FAILURE(Start());
  ExpectResumedProof(job);
}

TEST_F(Checkpoint, ADrainedServerGoesOn) {
  ASSERT_NO_FATAL_FAILURE(Start("1000"));  // no checkpoint but the drain's
  const std::string job = Submit(*client_, JobOf(Long()));
  ASSERT_TRUE(WaitForProgress(*client_, job));
  EXPECT_FALSE(Saved(job));
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(), std::optional<int>(0));
  EXPECT_TRUE(Saved(job));
  ASSERT_NO_FATAL_FAILURE(Start());
  ExpectResumedProof(job);
}

TEST_F(Checkpoint, AKilledWorkersJobCanBeContinued) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string job = Submit(*client_, JobOf(Long()));
  ASSERT_TRUE(WaitUntilSaved(job));
  for (const pid_t worker : ChildrenOf(server_->process().pid())) kill(worker, SIGKILL);
  const v1::StatusDetails error = Watch(*client_, job).finished().error();
  ASSERT_EQ(error.details_size(), 1);
  v1::ErrorDetail detail;
  ASSERT_TRUE(error.details(0).UnpackTo(&detail));
  EXPECT_EQ(detail.reason(), "WORKER_DIED");
  v1::SubmitRequest again;
  again.set_continue_job_id(job);
  ExpectResumedProof(Submit(*client_, again));
}

TEST_F(Checkpoint, ALimitedJobCanBeContinuedWithOtherOptions) {
  ASSERT_NO_FATAL_FAILURE(Start());
  v1::VerifyRequest little = Long();
  little.mutable_options()->set_max_domains(100);
  const std::string job = Submit(*client_, JobOf(little));
  const v1::VerifyResult first = Watch(*client_, job).finished().result();
  EXPECT_EQ(first.limit(), v1::LIMIT_DOMAINS);
  v1::SubmitRequest again;
  again.set_continue_job_id(job);
  again.mutable_verify()->mutable_options()->set_max_domains(0);
  const std::string next = Submit(*client_, again);
  ExpectResumedProof(next);
  v1::Job both;
  ASSERT_TRUE(Get(*client_, next, both).ok());
  EXPECT_EQ(both.result().statistics().counters().at("resumed_domains"), first.statistics().domains());
}

TEST_F(Checkpoint, ADamagedOneIsRefusedAndTheSearchStartsAnew) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string job = Submit(*client_, JobOf(Long()));
  ASSERT_TRUE(WaitUntilSaved(job));
  server_->process().Signal(SIGKILL);
  server_.reset();
  const std::filesystem::path file = std::filesystem::path(Data()) / "checkpoints" / job;
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  ASSERT_NO_FATAL_FAILURE(Start());
  const v1::VerifyResult result = Watch(*client_, job).finished().result();
  EXPECT_EQ(result.answer(), v1::ANSWER_UNSAT);
  ASSERT_EQ(result.warnings_size(), 1);
  EXPECT_NE(result.warnings(0).find("from the beginning"), std::string::npos) << result.warnings(0);
}

TEST_F(Checkpoint, NothingToGoOnFromIsSaid) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string job = Submit(*client_, JobOf(TinyUnsat()));
  EXPECT_EQ(Watch(*client_, job).finished().result().answer(), v1::ANSWER_UNSAT);
  v1::SubmitRequest again;
  again.set_continue_job_id(job);
  grpc::ClientContext context;
  v1::SubmitResponse response;
  EXPECT_EQ(client_->stub().Submit(&context, again, &response).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

}  // namespace
}  // namespace espalier::service_test
