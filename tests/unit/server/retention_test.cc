#include "server/jobs/retention.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <set>

#include "server/jobs/job_store.h"
#include "tests/unit/server/scratch_folder.h"

namespace espalier::server {
namespace {

class RetentionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open(folder_.Path("jobs.db"));
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
    store_ = std::make_unique<JobStore>(*database_);
  }

  std::string Queued() { return store_->Insert("client", {})->id; }

  // A job that has ended `age_s` seconds before the time 1000000.
  std::string Ended(double age_s, v1::JobState state = v1::JOB_STATE_DONE, size_t bytes = 10) {
    const std::string id = Queued();
    v1::JobFinished finished;
    finished.set_state(state);
    finished.mutable_result()->set_reason(std::string(bytes, 'x'));
    EXPECT_TRUE(store_->Finish(id, finished).ok());
    Database::Session session(*database_);
    Statement(session, "UPDATE jobs SET finished_s=? WHERE id=?").Real(kNow - age_s).Text(id).Run();
    EXPECT_TRUE(session.Commit().ok());
    return id;
  }

  std::set<std::string> Held() {
    std::set<std::string> held;
    v1::ListJobsRequest request;
    request.set_page_size(1000);
    const auto page = store_->List(request);
    for (const v1::Job& job : page->jobs()) held.insert(job.job_id());
    return held;
  }

  int64_t Number(const char* sql) {
    Database::Session session(*database_);
    Statement read(session, sql);
    return read.Next() ? read.IntegerAt(0) : -1;
  }

  static constexpr double kNow = 1'000'000;
  ScratchFolder folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<JobStore> store_;
};

TEST_F(RetentionTest, TheNewestEndsAreKeptAndWhatHasNotEndedIs) {
  const std::string waits = Queued();
  const std::string runs = Queued();
  ASSERT_TRUE(store_->Start(runs).ok());
  // The first one submitted ends last.
  const std::string newest = Ended(1), failed = Ended(30, v1::JOB_STATE_FAILED), older = Ended(20);
  const std::string cancelled = Ended(40, v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 2}, kNow), 2);
  EXPECT_EQ(Held(), (std::set<std::string>{waits, runs, newest, older}));
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 2}, kNow), 0);
  EXPECT_EQ(store_->Events(failed, 1, 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Number("SELECT COUNT(*) FROM events"), 2 + 1 + 2 * 2);
}

TEST_F(RetentionTest, OldEndsGoHoweverFewTheyAre) {
  const std::string waits = Queued();
  const std::string young = Ended(50);
  Ended(100.5);
  Ended(5000);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 10, .seconds = 100}, kNow), 2);
  EXPECT_EQ(Held(), (std::set<std::string>{waits, young}));
  EXPECT_EQ(*Retention::Sweep(*database_, {.seconds = 0}, 10 * kNow), 0);
  EXPECT_EQ(Held().size(), 2U);
}

TEST_F(RetentionTest, EndsOfOneMomentAreCounted) {
  for (int i = 0; i < 5; ++i) Ended(10);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 3}, kNow), 2);
  EXPECT_EQ(Held().size(), 3U);
}

TEST_F(RetentionTest, BatchesAreBoundedAndTheFileShrinks) {
  for (int i = 0; i < 250; ++i) Ended(10 + i, v1::JOB_STATE_DONE, 40'000);
  const int64_t full = Number("PRAGMA page_count");
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 10}, kNow), Retention::kBatch);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 10}, kNow), Retention::kBatch);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 10}, kNow), 40);
  EXPECT_EQ(*Retention::Sweep(*database_, {.jobs = 10}, kNow), 0);
  int rounds = 0;
  while (*Retention::Shrink(*database_)) ++rounds;
  EXPECT_GT(rounds, 1);
  EXPECT_EQ(Number("PRAGMA freelist_count"), 0);
  EXPECT_LT(Number("PRAGMA page_count"), full / 10);
}

TEST_F(RetentionTest, AFileOfAnOlderProgramIsMadeShrinkable) {
  const std::string path = folder_.Path("old.db");
  {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(handle, "PRAGMA journal_mode=WAL; CREATE TABLE something(x); DROP TABLE something",
                           nullptr, nullptr, nullptr),
              SQLITE_OK);
    sqlite3_close(handle);
  }
  auto opened = Database::Open(path);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Database::Session session(**opened);
  Statement read(session, "PRAGMA auto_vacuum");
  ASSERT_TRUE(read.Next());
  EXPECT_EQ(read.IntegerAt(0), 2);
}

}  // namespace
}  // namespace espalier::server
