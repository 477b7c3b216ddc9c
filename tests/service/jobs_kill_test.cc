// kill -9 of the server in the middle of jobs: nothing that a client saw is lost, nothing is seen twice.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr int kJobs = 20;

// What one client sees of one job over all restarts.
struct Seen {
  std::string id;
  bool unsat = false;
  std::vector<v1::JobEvent> events;
  int connections = 0;
  bool ended() const { return !events.empty() && events.back().has_finished(); }
};

class JobsKill : public testing::Test {
 protected:
  void Start() {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(std::vector<std::string>{
        "--listen", Address(), "--data-dir", directory_.Path("data"), "--concurrency", "2"});
    ASSERT_NE(server_->address(), "");
  }
  std::string Address() const { return "unix:" + directory_.Path("socket"); }

  // Half of the jobs are decided at once, half take 0.2 to 0.6 s, so that a kill meets some in each state.
  void SubmitAll(std::vector<Seen>& seen) {
    Client client(Address());
    for (int i = 0; i < kJobs; ++i) {
      Seen& job = seen.emplace_back();
      job.unsat = i % 2 == 0;
      v1::VerifyRequest request = job.unsat ? TinyUnsat() : Endless();
      if (!job.unsat) request.mutable_options()->set_timeout_s(0.2 + 0.02 * i);
      job.id = Submit(client, JobOf(request, absl::StrCat("request ", i)));
      ASSERT_NE(job.id, "");
    }
  }

  // Watches until the last event, over as many connections as it takes.
  void Follow(Seen& job) {
    const absl::Time end = absl::Now() + kPatience;
    while (!job.ended() && absl::Now() < end) {
      Client client(Address());
      const WatchOutcome part = Watch(client, job.id, static_cast<int64_t>(job.events.size()) + 1);
      job.events.insert(job.events.end(), part.events.begin(), part.events.end());
      ++job.connections;
      if (!job.ended()) absl::SleepFor(absl::Milliseconds(20));
    }
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(JobsKill, TwentyJobsSurviveRepeatedKills) {
  ASSERT_NO_FATAL_FAILURE(Start());
  std::vector<Seen> seen;
  ASSERT_NO_FATAL_FAILURE(SubmitAll(seen));
  std::vector<std::thread> watchers;
  for (Seen& job : seen) watchers.emplace_back([this, &job] { Follow(job); });
  std::mt19937 random(7);
  constexpr int kKills = 5;
  for (int i = 0; i < kKills; ++i) {
    absl::SleepFor(absl::Milliseconds(100 + random() % 400));
    server_->process().Signal(SIGKILL);
    ASSERT_NO_FATAL_FAILURE(Start());
  }
  for (std::thread& watcher : watchers) watcher.join();

  Client client(Address());
  int reconnected = 0, again = 0;
  for (const Seen& job : seen) {
    ASSERT_TRUE(job.ended()) << job.id;
    EXPECT_TRUE(Gapless(job.events, 1)) << job.id;
    const WatchOutcome log = Watch(client, job.id);
    ASSERT_EQ(log.events.size(), job.events.size());
    for (size_t i = 0; i < log.events.size(); ++i)
      EXPECT_TRUE(MessageDifferencer::Equals(log.events[i], job.events[i])) << log.events[i].DebugString();
    const v1::JobFinished& finished = job.events.back().finished();
    EXPECT_EQ(finished.state(), v1::JOB_STATE_DONE) << finished.error().message();
    EXPECT_EQ(finished.result().answer(), job.unsat ? v1::ANSWER_UNSAT : v1::ANSWER_UNKNOWN);
    reconnected += job.connections > 1 ? 1 : 0;
    v1::Job now;
    ASSERT_TRUE(Get(client, job.id, now).ok());
    again += now.attempts() > 1 ? 1 : 0;
  }
  EXPECT_GT(reconnected, 0) << "the kills came after everything had ended";
  EXPECT_GT(again, 0) << "no kill met a running job";
  RecordProperty("jobs_run_again", again);
}

}  // namespace
}  // namespace espalier::service_test
