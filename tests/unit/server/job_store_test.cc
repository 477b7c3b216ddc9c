#include "server/jobs/job_store.h"

#include <gtest/gtest.h>

#include "tests/unit/server/scratch_folder.h"

namespace espalier::server {
namespace {

v1::SubmitRequest Request(const std::string& request_id = "") {
  v1::SubmitRequest request;
  request.set_request_id(request_id);
  request.set_label("a label");
  request.mutable_verify()->mutable_model()->set_sha256("abc");
  return request;
}

v1::JobFinished Done(v1::Answer answer) {
  v1::JobFinished finished;
  finished.set_state(v1::JOB_STATE_DONE);
  finished.mutable_result()->set_answer(answer);
  return finished;
}

class JobStoreTest : public testing::Test {
 protected:
  void Open() {
    store_.reset();
    database_.reset();
    auto opened = Database::Open(folder_.Path("jobs.db"));
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
    store_ = std::make_unique<JobStore>(*database_);
  }
  void SetUp() override { Open(); }

  ScratchFolder folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<JobStore> store_;
};

TEST_F(JobStoreTest, EventsAreNumberedWithoutGapsAndSurviveReopening) {
  const std::string id = store_->Insert("client", Request())->id;
  EXPECT_EQ(*store_->Start(id), 1);
  v1::JobEvent progress;
  progress.mutable_progress()->set_open(7);
  ASSERT_TRUE(store_->Append(id, {progress, progress}).ok());
  Open();
  ASSERT_TRUE(store_->Finish(id, Done(v1::ANSWER_UNSAT)).ok());
  const auto events = store_->Events(id, 1, 100);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 5U);
  for (size_t i = 0; i < events->size(); ++i) EXPECT_EQ((*events)[i].sequence(), static_cast<int64_t>(i + 1));
  EXPECT_TRUE((*events)[0].has_queued());
  EXPECT_TRUE((*events)[1].has_started());
  EXPECT_EQ((*events)[3].progress().open(), 7);
  EXPECT_EQ((*events)[4].finished().result().answer(), v1::ANSWER_UNSAT);
  EXPECT_EQ(store_->Events(id, 4, 1)->front().sequence(), 4);
  EXPECT_TRUE(store_->Events(id, 6, 1)->empty());
  const auto job = store_->Get(id);
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->state(), v1::JOB_STATE_DONE);
  EXPECT_EQ(job->answer(), v1::ANSWER_UNSAT);
  EXPECT_EQ(job->last_sequence(), 5);
  EXPECT_EQ(job->label(), "a label");
  EXPECT_EQ(job->verify().model().sha256(), "abc");
}

TEST_F(JobStoreTest, ARequestIdMakesOneJobPerClient) {
  const auto first = store_->Insert("client", Request("x"));
  const auto again = store_->Insert("client", Request("x"));
  const auto other = store_->Insert("another", Request("x"));
  EXPECT_FALSE(first->known);
  EXPECT_TRUE(again->known);
  EXPECT_EQ(first->id, again->id);
  EXPECT_NE(first->id, other->id);
  EXPECT_EQ(*store_->FindRequest("client", "x"), first->id);
  EXPECT_EQ(*store_->FindRequest("client", "y"), "");
  EXPECT_NE(store_->Insert("client", Request())->id, store_->Insert("client", Request())->id);
}

TEST_F(JobStoreTest, FindsWhatIsUnfinishedOldestFirst) {
  const std::string queued = store_->Insert("a", Request())->id;
  const std::string running = store_->Insert("b", Request())->id;
  const std::string cancelled = store_->Insert("c", Request())->id;
  const std::string done = store_->Insert("d", Request())->id;
  ASSERT_TRUE(store_->Start(running).ok());
  ASSERT_TRUE(store_->MarkCancelled(cancelled).ok());
  ASSERT_TRUE(store_->Finish(done, Done(v1::ANSWER_SAT)).ok());
  Open();
  const auto unfinished = store_->FindUnfinished();
  ASSERT_TRUE(unfinished.ok());
  ASSERT_EQ(unfinished->size(), 3U);
  EXPECT_EQ((*unfinished)[0].id, queued);
  EXPECT_FALSE((*unfinished)[0].running);
  EXPECT_EQ((*unfinished)[0].request.model().sha256(), "abc");
  EXPECT_TRUE((*unfinished)[1].running);
  EXPECT_EQ((*unfinished)[1].attempts, 1);
  EXPECT_EQ((*unfinished)[1].client, "b");
  EXPECT_TRUE((*unfinished)[2].cancelled);
}

TEST_F(JobStoreTest, ListsInPagesThatNewJobsDoNotMove) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(store_->Insert("client", Request())->id);
  v1::ListJobsRequest request;
  request.set_page_size(2);
  std::vector<std::string> listed;
  while (true) {
    const auto page = store_->List(request);
    ASSERT_TRUE(page.ok());
    for (const v1::Job& job : page->jobs()) listed.push_back(job.job_id());
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
    ASSERT_TRUE(store_->Insert("client", Request()).ok());
  }
  EXPECT_EQ(listed, (std::vector<std::string>{ids[4], ids[3], ids[2], ids[1], ids[0]}));
  request.set_page_token("nonsense");
  EXPECT_EQ(store_->List(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(store_->List(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(JobStoreTest, ListsOneStateOnly) {
  const std::string done = store_->Insert("client", Request())->id;
  ASSERT_TRUE(store_->Insert("client", Request()).ok());
  ASSERT_TRUE(store_->Finish(done, Done(v1::ANSWER_SAT)).ok());
  v1::ListJobsRequest request;
  request.set_state(v1::JOB_STATE_DONE);
  const auto page = store_->List(request);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->jobs_size(), 1);
  EXPECT_EQ(page->jobs(0).job_id(), done);
}

TEST_F(JobStoreTest, DeletesOnlyWhatHasEndedAndItsEvents) {
  const std::string id = store_->Insert("client", Request("x"))->id;
  EXPECT_EQ(store_->Delete(id).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(store_->Finish(id, Done(v1::ANSWER_SAT)).ok());
  EXPECT_TRUE(store_->Delete(id).ok());
  EXPECT_EQ(store_->Delete(id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Events(id, 1, 1).status().code(), absl::StatusCode::kNotFound);
  Database::Session session(*database_);
  Statement count(session, "SELECT COUNT(*) FROM events");
  ASSERT_TRUE(count.Next());
  EXPECT_EQ(count.IntegerAt(0), 0);
}

TEST_F(JobStoreTest, UnknownJobsAreNotFound) {
  EXPECT_EQ(store_->Start("x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Requeue("x", "").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Append("x", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Finish("x", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Get("x' OR '1'='1").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(JobStoreTest, WhatWasNotCommittedDidNotHappen) {
  {
    Database::Session session(*database_);
    Statement(session, "INSERT INTO blobs(sha256, size, used_s) VALUES('x', 1, 1)").Run();
  }
  Database::Session session(*database_);
  Statement broken(session, "SELECT x FROM nowhere");
  EXPECT_FALSE(broken.Next());
  EXPECT_EQ(session.Commit().code(), absl::StatusCode::kInternal);
  EXPECT_NE(std::string(session.status().message()).find("nowhere"), std::string::npos) << session.status();
}

TEST_F(JobStoreTest, RefusesADatabaseOfANewerProgram) {
  {
    Database::Session session(*database_);
    Statement(session, "PRAGMA user_version=999").Run();
    ASSERT_TRUE(session.Commit().ok());
  }
  database_.reset();
  EXPECT_EQ(Database::Open(folder_.Path("jobs.db")).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace espalier::server
