// Worker processes: what happens to them happens to one call.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

class Worker : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  ServerProcess server_{{"--listen", "unix:" + directory_.Path("socket"), "--concurrency", "2", "--data-dir",
                         directory_.Path("data")}};
  Client client_{server_.address()};
};

TEST_F(Worker, ACrashFailsOneCallAndNamesTheSignal) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT}) {
    OpenVerify first(client_, Endless()), second(client_, Endless());
    const std::vector<pid_t> searching = SearchingChildren(server_.process().pid(), 2);
    ASSERT_EQ(searching.size(), 2U);
    kill(searching.front(), signal);
    bool first_goes_on = true, second_goes_on = true;
    while (first_goes_on && second_goes_on) {
      first_goes_on = first.WaitForProgress();
      second_goes_on = second.WaitForProgress();
    }
    EXPECT_NE(first_goes_on, second_goes_on) << "one of them does";
    const VerifyOutcome failed = (first_goes_on ? second : first).Finish();
    EXPECT_EQ(failed.status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_EQ(DetailOf(failed.status).reason(), "WORKER_DIED");
    EXPECT_NE(failed.status.error_message().find("signal " + std::to_string(signal)), std::string::npos)
        << failed.status.error_message();
    EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT) << "and the server goes on";
    EXPECT_TRUE((first_goes_on ? first : second).WaitForProgress());
  }
}

TEST_F(Worker, ACrashFailsOneJob) {
  const std::string killed = Submit(client_, JobOf(Endless()));
  const std::vector<pid_t> searching = SearchingChildren(server_.process().pid(), 1);
  ASSERT_EQ(searching.size(), 1U);
  const std::string other = Submit(client_, JobOf(TinyUnsat()));
  kill(searching.front(), SIGSEGV);
  const v1::JobFinished finished = Watch(client_, killed).finished();
  EXPECT_EQ(finished.state(), v1::JOB_STATE_FAILED);
  EXPECT_NE(finished.error().message().find("signal 11"), std::string::npos) << finished.error().message();
  EXPECT_EQ(Watch(client_, other).finished().result().answer(), v1::ANSWER_UNSAT);
}

TEST_F(Worker, AnIdleWorkerThatDiedIsReplaced) {
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  const std::vector<pid_t> workers = ChildrenOf(server_.process().pid());
  EXPECT_FALSE(workers.empty());
  for (const pid_t pid : workers) kill(pid, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return std::none_of(workers.begin(), workers.end(), Runs); }));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
}

TEST_F(Worker, OneThatDoesNotStopIsKilled) {
  OpenVerify call(client_, Endless());
  const std::vector<pid_t> searching = SearchingChildren(server_.process().pid(), 1);
  ASSERT_EQ(searching.size(), 1U);
  kill(searching.front(), SIGSTOP);  // deaf to everything but SIGKILL
  call.Cancel();
  call.Finish();
  EXPECT_TRUE(Eventually([&] { return kill(searching.front(), 0) != 0; })) << "it has been killed and reaped";
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
}

TEST_F(Worker, OneThatOutlivesItsTimeLimitIsKilledAndTheAnswerIsUnknown) {
  client_.Verify(TinySat());  // whatever worker comes next is there already
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(1);
  OpenVerify call(client_, request);
  for (const pid_t worker : ChildrenOf(server_.process().pid())) kill(worker, SIGSTOP);
  const VerifyOutcome outcome = call.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_NE(outcome.result.reason().find("killed"), std::string::npos) << outcome.result.reason();
}

TEST_F(Worker, WorkersEndWithAServerThatIsKilled) {
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  const std::vector<pid_t> workers = ChildrenOf(server_.process().pid());
  EXPECT_FALSE(workers.empty());
  server_.process().Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return std::none_of(workers.begin(), workers.end(), Runs); }));
}

TEST_F(Worker, ResultsCarryThePredictedAndTheMeasuredMemory) {
  const VerifyOutcome outcome = client_.Verify(TinyUnsat());
  const auto& counters = outcome.result.statistics().counters();
  ASSERT_EQ(counters.count("memory_limit_bytes"), 1U);
  ASSERT_EQ(counters.count("memory_peak_bytes"), 1U);
  EXPECT_GT(counters.at("memory_peak_bytes"), 1 << 20);
  EXPECT_LT(counters.at("memory_peak_bytes"), counters.at("memory_limit_bytes"));
}

TEST_F(Worker, ACachedResultIsGivenOnlyWhereItIsAllowed) {
  v1::VerifyRequest request = TinySat();
  request.set_allow_cached(true);
  EXPECT_FALSE(client_.Verify(request).result.cached());
  const VerifyOutcome second = client_.Verify(request);
  EXPECT_TRUE(second.result.cached());
  EXPECT_EQ(second.result.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(second.result.witness().input_size(), 2);
  request.set_allow_cached(false);
  EXPECT_FALSE(client_.Verify(request).result.cached());
  request = TinyUnsat();
  request.set_allow_cached(true);
  EXPECT_FALSE(client_.Verify(request).result.cached()) << "another query";
}

TEST(WorkerMemory, AModelThatCannotFitIsRefusedBeforeTheRun) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--memory-total", "1000000"});
  Client client(server.address());
  const VerifyOutcome refused = client.Verify(TinyUnsat());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf(refused.status).reason(), "NOT_ENOUGH_MEMORY");
}

TEST(WorkerMemory, RunsThatDoNotFitTogetherTakeTurns) {
  // Two verifications at a time by number, one by memory.
  ServerProcess server({"--listen", "127.0.0.1:0", "--concurrency", "2", "--memory-total", "300000000",
                        "--memory", "150000000"});
  Client client(server.address());
  OpenVerify running(client, Endless());
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.5);
  EXPECT_EQ(client.Verify(request).result.limit(), v1::LIMIT_TIME) << "it waited";
  running.Cancel();
  EXPECT_EQ(client.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
}

}  // namespace
}  // namespace espalier::service_test
