// Worker processes: what happens to them happens to one call.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/time/clock.h"
#include "tests/service/job_client.h"

namespace espalier::service_test {
namespace {

// Processor time of a process, in ticks of the kernel's clock (10 ms).
int64_t TicksOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream rest(text.substr(std::min(text.size(), text.rfind(')') + 2)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) rest >> skipped;
  int64_t user = 0;
  rest >> user;
  return user;
}

// Waits until `expected` children of the server have used the processor since now: those that search. The
// others wait.
std::vector<pid_t> Busy(ServerProcess& server, size_t expected) {
  const std::vector<pid_t> children = ChildrenOf(server.process().pid());
  std::vector<int64_t> before;
  for (const pid_t pid : children) before.push_back(TicksOf(pid));
  std::vector<pid_t> busy;
  const absl::Time end = absl::Now() + absl::Seconds(5);
  while (busy.size() < expected && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(50));
    busy.clear();
    for (size_t i = 0; i < children.size(); ++i) {
      if (TicksOf(children[i]) > before[i] + 5) busy.push_back(children[i]);
    }
  }
  return busy;
}

class Worker : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  ServerProcess server_{{"--listen", "unix:" + directory_.Path("socket"), "--concurrency", "2", "--data-dir",
                         directory_.Path("data")}};
  Client client_{server_.address()};
};

TEST_F(Worker, ACrashFailsOneCallAndNamesTheSignal) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT}) {
    VerifyOutcome first, second;
    v1::VerifyRequest request = Endless();
    request.mutable_options()->set_timeout_s(6);
    std::thread one([&] { first = Client(server_.address()).Verify(request); });
    std::thread two([&] { second = Client(server_.address()).Verify(request); });
    absl::SleepFor(absl::Milliseconds(500));
    const std::vector<pid_t> busy = Busy(server_, 2);
    EXPECT_EQ(busy.size(), 2U);
    if (!busy.empty()) kill(busy.front(), signal);
    one.join();
    two.join();
    const bool first_failed = !first.status.ok();
    const VerifyOutcome& failed = first_failed ? first : second;
    const VerifyOutcome& other = first_failed ? second : first;
    EXPECT_EQ(failed.status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_EQ(DetailOf(failed.status).reason(), "WORKER_DIED");
    EXPECT_NE(failed.status.error_message().find("signal " + std::to_string(signal)), std::string::npos)
        << failed.status.error_message();
    EXPECT_TRUE(other.status.ok()) << other.status.error_message();
    EXPECT_EQ(other.result.limit(), v1::LIMIT_TIME);
    EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT) << "and the server goes on";
  }
}

TEST_F(Worker, ACrashFailsOneJob) {
  v1::VerifyRequest request = Endless();
  const std::string killed = Submit(client_, JobOf(request));
  ASSERT_TRUE(WaitForState(client_, killed, v1::JOB_STATE_RUNNING));
  absl::SleepFor(absl::Milliseconds(300));
  const std::vector<pid_t> busy = Busy(server_, 1);
  ASSERT_EQ(busy.size(), 1U);
  const std::string other = Submit(client_, JobOf(TinyUnsat()));
  kill(busy.front(), SIGSEGV);
  const v1::JobFinished finished = Watch(client_, killed).finished();
  EXPECT_EQ(finished.state(), v1::JOB_STATE_FAILED);
  EXPECT_NE(finished.error().message().find("signal 11"), std::string::npos) << finished.error().message();
  EXPECT_EQ(Watch(client_, other).finished().result().answer(), v1::ANSWER_UNSAT);
}

TEST_F(Worker, AnIdleWorkerThatDiedIsReplaced) {
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  for (const pid_t pid : ChildrenOf(server_.process().pid())) kill(pid, SIGKILL);
  absl::SleepFor(absl::Milliseconds(100));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
}

TEST_F(Worker, OneThatDoesNotStopIsKilled) {
  grpc::ClientContext context;
  const auto reader = client_.stub().Verify(&context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(reader->Read(&event));
  absl::SleepFor(absl::Milliseconds(500));
  const std::vector<pid_t> busy = Busy(server_, 1);
  ASSERT_EQ(busy.size(), 1U);
  kill(busy.front(), SIGSTOP);  // deaf to everything but SIGKILL
  context.TryCancel();
  reader->Finish();
  const absl::Time end = absl::Now() + absl::Seconds(8);
  while (kill(busy.front(), 0) == 0 && absl::Now() < end) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_NE(kill(busy.front(), 0), 0) << "it has been killed and reaped";
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
}

TEST_F(Worker, OneThatOutlivesItsTimeLimitIsKilledAndTheAnswerIsUnknown) {
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(5);
  VerifyOutcome outcome;
  std::thread call([&] { outcome = Client(server_.address()).Verify(request); });
  absl::SleepFor(absl::Milliseconds(500));
  const std::vector<pid_t> busy = Busy(server_, 1);
  EXPECT_EQ(busy.size(), 1U);
  if (!busy.empty()) kill(busy.front(), SIGSTOP);
  call.join();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_NE(outcome.result.reason().find("killed"), std::string::npos) << outcome.result.reason();
}

TEST_F(Worker, WorkersEndWithAServerThatIsKilled) {
  EXPECT_EQ(client_.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  const std::vector<pid_t> children = ChildrenOf(server_.process().pid());
  EXPECT_GE(children.size(), 1U);
  server_.process().Signal(SIGKILL);
  const absl::Time end = absl::Now() + absl::Seconds(5);
  const auto runs = [](pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    return !text.empty() && text[text.rfind(')') + 2] != 'Z';
  };
  while (std::any_of(children.begin(), children.end(), runs) && absl::Now() < end)
    absl::SleepFor(absl::Milliseconds(10));
  EXPECT_TRUE(std::none_of(children.begin(), children.end(), runs));
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
  grpc::ClientContext context;
  const auto running = client.stub().Verify(&context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(running->Read(&event));
  absl::SleepFor(absl::Milliseconds(300));
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.5);
  EXPECT_EQ(client.Verify(request).result.limit(), v1::LIMIT_TIME) << "it waited";
  context.TryCancel();
  EXPECT_EQ(client.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
}

}  // namespace
}  // namespace espalier::service_test
