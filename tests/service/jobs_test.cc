// Jobs over the wire: submit, watch, cancel, list, delete, and what a restart leaves of them.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"
#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

class Jobs : public testing::Test {
 protected:
  Jobs() { Start(); }
  void Start(const std::vector<std::string>& more = {}) {
    server_.reset();
    std::vector<std::string> arguments = {"--listen",      "unix:" + directory_.Path("socket"),
                                          "--data-dir",    directory_.Path("data"),
                                          "--concurrency", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    server_ = std::make_unique<ServerProcess>(arguments);
    client_ = std::make_unique<Client>(server_->address());
  }
  void Kill() {
    server_->process().Signal(SIGKILL);
    ASSERT_EQ(server_->process().Wait(), -SIGKILL);
  }
  v1::CancelResponse Cancel(const std::string& job_id) {
    v1::CancelRequest request;
    request.set_job_id(job_id);
    grpc::ClientContext context;
    v1::CancelResponse response;
    const grpc::Status status = client_->stub().Cancel(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(Jobs, RunToTheirAnswerAndKeepIt) {
  const std::string unsat = Submit(*client_, JobOf(TinyUnsat()));
  const std::string sat = Submit(*client_, JobOf(TinySat()));
  const WatchOutcome watched = Watch(*client_, unsat);
  EXPECT_TRUE(watched.status.ok()) << watched.status.error_message();
  EXPECT_TRUE(Gapless(watched.events, 1));
  EXPECT_TRUE(watched.events[0].has_queued());
  EXPECT_TRUE(watched.events[1].has_started());
  EXPECT_EQ(watched.finished().state(), v1::JOB_STATE_DONE);
  EXPECT_EQ(watched.finished().result().answer(), v1::ANSWER_UNSAT);
  EXPECT_EQ(Watch(*client_, sat).finished().result().witness().input_size(), 2);
  Kill();
  Start();
  v1::Job job;
  ASSERT_TRUE(Get(*client_, sat, job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_DONE);
  EXPECT_EQ(job.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(job.result().witness().input_size(), 2);
  EXPECT_EQ(job.verify().model().sha256(), job.result().record().model_sha256());
  EXPECT_FALSE(job.verify().model().has_inline_bytes());
}

TEST_F(Jobs, WatchGoesOnFromAnyEvent) {
  const std::string id = Submit(*client_, JobOf(TinyUnsat()));
  const WatchOutcome all = Watch(*client_, id);
  ASSERT_GE(all.events.size(), 3U);
  const auto last = static_cast<int64_t>(all.events.size());
  for (int64_t from = 1; from <= last; ++from) {
    const WatchOutcome part = Watch(*client_, id, from);
    EXPECT_TRUE(part.status.ok());
    EXPECT_EQ(static_cast<int64_t>(part.events.size()), last - from + 1);
    EXPECT_TRUE(Gapless(part.events, from));
  }
  const WatchOutcome behind = Watch(*client_, id, last + 1);
  EXPECT_TRUE(behind.status.ok());
  EXPECT_TRUE(behind.events.empty());
  EXPECT_EQ(Watch(*client_, id, -1).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const WatchOutcome unknown = Watch(*client_, "x");
  EXPECT_EQ(unknown.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DetailOf(unknown.status).reason(), "UNKNOWN_JOB");
}

TEST_F(Jobs, ManyWatchersSeeTheSameEvents) {
  const std::string id = Submit(*client_, JobOf(Endless()));
  std::vector<WatchOutcome> outcomes(4);
  std::vector<std::thread> threads;
  for (WatchOutcome& outcome : outcomes) {
    threads.emplace_back([&] {
      Client own(server_->address());
      outcome = Watch(own, id);
    });
    EXPECT_TRUE(WaitForProgress(*client_, id)) << "so that they come at different times";
  }
  Cancel(id);
  for (std::thread& thread : threads) thread.join();
  for (const WatchOutcome& outcome : outcomes) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_TRUE(Gapless(outcome.events, 1));
    EXPECT_EQ(outcome.events.size(), outcomes[0].events.size());
    EXPECT_EQ(outcome.finished().state(), v1::JOB_STATE_CANCELLED);
  }
  EXPECT_GE(outcomes[0].events.size(), 4U) << "there was progress";
}

TEST_F(Jobs, ARetryWithTheSameRequestIdIsTheSameJob) {
  const std::string first = Submit(*client_, JobOf(TinyUnsat(), "once"));
  EXPECT_EQ(Submit(*client_, JobOf(TinyUnsat(), "once")), first);
  Kill();
  Start();
  EXPECT_EQ(Submit(*client_, JobOf(TinyUnsat(), "once")), first);
  EXPECT_NE(Submit(*client_, JobOf(TinyUnsat(), "twice")), first);
}

TEST_F(Jobs, CancelStopsARunningJobAndTakesOutAWaitingOne) {
  const std::string running = Submit(*client_, JobOf(Endless()));
  Submit(*client_, JobOf(Endless()));
  const std::string waiting = Submit(*client_, JobOf(Endless()));
  ASSERT_TRUE(WaitForState(*client_, running, v1::JOB_STATE_RUNNING));
  EXPECT_EQ(Cancel(waiting).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Watch(*client_, waiting).finished().state(), v1::JOB_STATE_CANCELLED);
  Cancel(running);
  EXPECT_EQ(Watch(*client_, running).finished().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Cancel(running).state(), v1::JOB_STATE_CANCELLED) << "again changes nothing";
}

TEST_F(Jobs, WhatWasCancelledIsNotRunAgainAfterAKill) {
  Submit(*client_, JobOf(Endless()));
  Submit(*client_, JobOf(Endless()));
  const std::string waiting = Submit(*client_, JobOf(TinyUnsat()));
  EXPECT_EQ(Cancel(waiting).state(), v1::JOB_STATE_CANCELLED);
  Kill();
  Start();
  v1::Job job;
  ASSERT_TRUE(Get(*client_, waiting, job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Jobs, ACancellationThatWasHeardOutlivesAKill) {
  const std::string id = Submit(*client_, JobOf(Endless()));
  ASSERT_TRUE(WaitForState(*client_, id, v1::JOB_STATE_RUNNING));
  const std::vector<pid_t> workers = ChildrenOf(server_->process().pid());
  for (const pid_t worker : workers) kill(worker, SIGSTOP);  // so that the job cannot end by itself
  EXPECT_EQ(Cancel(id).state(), v1::JOB_STATE_RUNNING);
  Kill();
  for (const pid_t worker : workers) kill(worker, SIGKILL);
  Start();
  v1::Job job;
  ASSERT_TRUE(Get(*client_, id, job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(job.attempts(), 1);
}

TEST_F(Jobs, FailuresAreTheJobsOwn) {
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_query()->set_inline_bytes("(assert");
  const WatchOutcome watched = Watch(*client_, Submit(*client_, JobOf(request)));
  EXPECT_TRUE(watched.status.ok());
  EXPECT_EQ(watched.finished().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(watched.finished().error().code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_NE(watched.finished().error().message().find("line 1"), std::string::npos);
}

TEST_F(Jobs, WrongRequestsAreRefused) {
  const auto refuse = [this](const v1::SubmitRequest& request) {
    grpc::ClientContext context;
    v1::SubmitResponse response;
    return client_->stub().Submit(&context, request, &response).error_code();
  };
  EXPECT_EQ(refuse({}), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refuse(JobOf(TinyUnsat(), std::string(129, 'x'))), grpc::StatusCode::INVALID_ARGUMENT);
  v1::SubmitRequest unknown = JobOf(TinyUnsat());
  unknown.mutable_verify()->mutable_model()->set_sha256(std::string(64, 'a'));
  EXPECT_EQ(refuse(unknown), grpc::StatusCode::NOT_FOUND);
}

TEST_F(Jobs, AreListedInPagesAndDeletedWhenTheyHaveEnded) {
  std::set<std::string> submitted;
  for (int i = 0; i < 5; ++i) submitted.insert(Submit(*client_, JobOf(TinyUnsat())));
  for (const std::string& id : submitted) ASSERT_TRUE(WaitForState(*client_, id, v1::JOB_STATE_DONE));
  std::set<std::string> listed;
  v1::ListJobsRequest request;
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListJobsResponse page;
    ASSERT_TRUE(client_->stub().ListJobs(&context, request, &page).ok());
    EXPECT_LE(page.jobs_size(), 2);
    for (const v1::Job& job : page.jobs()) {
      EXPECT_TRUE(listed.insert(job.job_id()).second) << "twice";
      EXPECT_EQ(job.answer(), v1::ANSWER_UNSAT);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, submitted);
  v1::DeleteJobRequest remove;
  remove.set_job_id(*submitted.begin());
  v1::DeleteJobResponse removed;
  {
    grpc::ClientContext context;
    EXPECT_TRUE(client_->stub().DeleteJob(&context, remove, &removed).ok());
  }
  v1::Job job;
  EXPECT_EQ(Get(*client_, remove.job_id(), job).error_code(), grpc::StatusCode::NOT_FOUND);
  remove.set_job_id(Submit(*client_, JobOf(Endless())));
  grpc::ClientContext context;
  const grpc::Status early = client_->stub().DeleteJob(&context, remove, &removed);
  EXPECT_EQ(early.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(DetailOf(early).reason(), "JOB_NOT_FINISHED");
}

TEST_F(Jobs, TooManyAreRefusedWithARetryDelay) {
  Start({"--max-jobs-per-client", "2"});
  Submit(*client_, JobOf(Endless()));
  Submit(*client_, JobOf(Endless(), "second"));
  grpc::ClientContext context;
  v1::SubmitResponse response;
  const grpc::Status full = client_->stub().Submit(&context, JobOf(TinyUnsat()), &response);
  EXPECT_EQ(full.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_GT(DetailOf(full).retry_delay_s(), 0);
  EXPECT_NE(Submit(*client_, JobOf(TinyUnsat(), "second")), "") << "a retry needs no room";
}

TEST_F(Jobs, FilesThatAWaitingJobNeedsAreNotEvicted) {
  const std::string model = ReadFile(ModelPath("digits.onnx"));
  Start({"--blob-quota", absl::StrCat(model.size() + 10000)});
  Submit(*client_, JobOf(Endless()));
  v1::UploadBlobHeader header;
  header.set_kind(v1::BLOB_KIND_DATASET);
  const std::string other(model.size() / 2, 'x');
  header.set_sha256(proto::Sha256Hex(other));
  header.set_size(static_cast<int64_t>(other.size()));
  v1::UploadBlobResponse response;
  EXPECT_EQ(client_->Upload(header, other, response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Kill();
  Start({"--blob-quota", absl::StrCat(model.size() + 10000)});
  EXPECT_EQ(client_->Upload(header, other, response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
      << "nor after a restart";
}

TEST_F(Jobs, TermPutsRunningJobsBack) {
  Start({"--drain", "0.5"});
  const std::string id = Submit(*client_, JobOf(Endless()));
  ASSERT_TRUE(WaitForProgress(*client_, id));
  WatchOutcome before;
  std::thread watcher([&] { before = Watch(*client_, id); });
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().Wait(), 0);
  watcher.join();
  EXPECT_FALSE(before.status.ok());
  Start();
  ASSERT_TRUE(WaitForState(*client_, id, v1::JOB_STATE_RUNNING));
  v1::Job job;
  ASSERT_TRUE(Get(*client_, id, job).ok());
  EXPECT_EQ(job.attempts(), 2);
  Cancel(id);
  const WatchOutcome after = Watch(*client_, id, static_cast<int64_t>(before.events.size()) + 1);
  EXPECT_TRUE(Gapless(after.events, static_cast<int64_t>(before.events.size()) + 1));
  EXPECT_EQ(after.finished().state(), v1::JOB_STATE_CANCELLED);
}

TEST(JobsWithoutADataDirectory, AreRefusedWithTheReason) {
  ServerProcess server({"--listen", "127.0.0.1:0"});
  Client client(server.address());
  v1::SubmitResponse response;
  grpc::ClientContext context;
  const grpc::Status refused = client.stub().Submit(&context, JobOf(TinyUnsat()), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(DetailOf(refused).reason(), "NO_DATA_DIR");
  EXPECT_NE(refused.error_message().find("--data-dir"), std::string::npos);
  EXPECT_EQ(Watch(client, "x").status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(client.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
}

TEST(JobsDataDirectory, IsForOneServer) {
  TemporaryDirectory directory;
  ServerProcess first({"--listen", "127.0.0.1:0", "--data-dir", directory.Path("data")});
  ASSERT_NE(first.address(), "");
  ServerProcess second({"--listen", "127.0.0.1:0", "--data-dir", directory.Path("data")});
  EXPECT_EQ(second.address(), "");
  EXPECT_EQ(second.process().Wait(), 1);
}

}  // namespace
}  // namespace espalier::service_test
