// Verify over the wire: events, answers, cancellation, deadlines, queues.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

std::string NewSocket(const TemporaryDirectory& directory) {
  return "unix:" + directory.Path("socket");
}

// One worker: a second verification starts only when the first one has stopped, so its answer shows that. How
// soon that is, bench/stop_latency measures.
class Verify : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  ServerProcess server_{{"--listen", NewSocket(directory_), "--concurrency", "1", "--max-queue", "1"}};
  Client client_{server_.address()};
};

TEST_F(Verify, AnswersUnsatAndSatWithAReplayableWitness) {
  const VerifyOutcome unsat = client_.Verify(TinyUnsat());
  ASSERT_TRUE(unsat.status.ok()) << unsat.status.error_message();
  EXPECT_TRUE(unsat.events.front().has_accepted());
  EXPECT_TRUE(unsat.events.back().has_result());
  EXPECT_EQ(unsat.result.answer(), v1::ANSWER_UNSAT);
  EXPECT_FALSE(unsat.result.has_witness());
  EXPECT_EQ(unsat.result.record().model_sha256().size(), 64U);
  EXPECT_FALSE(unsat.result.record().version().empty());

  const VerifyOutcome sat = client_.Verify(TinySat());
  ASSERT_TRUE(sat.status.ok()) << sat.status.error_message();
  ASSERT_EQ(sat.result.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(sat.result.witness().input_size(), 2);
  EXPECT_EQ(sat.result.witness().output_size(), 1);
}

TEST_F(Verify, CancelStopsTheSearch) {
  OpenVerify running(client_, Endless());
  ASSERT_TRUE(running.WaitForProgress());
  running.Cancel();
  EXPECT_EQ(client_.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
  EXPECT_EQ(running.Finish().status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(Verify, CallDeadlineStopsTheSearch) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(500)));
  const VerifyOutcome late = client_.Verify(Endless(), &context);
  EXPECT_FALSE(late.status.ok() && late.result.limit() != v1::LIMIT_TIME) << late.result.DebugString();
  EXPECT_EQ(client_.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
}

TEST_F(Verify, TimeLimitIsAVerdictNotAnError) {
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(0.5);
  const VerifyOutcome outcome = client_.Verify(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.answer(), v1::ANSWER_UNKNOWN);
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_GE(outcome.elapsed, absl::Milliseconds(490)) << "not before its time";
}

TEST_F(Verify, TimeLimitCountsWaitingInTheQueue) {
  OpenVerify running(client_, Endless());
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.2);
  const VerifyOutcome outcome = client_.Verify(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.events.front().accepted().queue_position(), 1);
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_TRUE(running.WaitForProgress()) << "what it waited for still runs";
}

TEST_F(Verify, AFullQueueRefusesWithARetryDelayAndACancelledWaiterLeavesIt) {
  OpenVerify running(client_, Endless()), waiting(client_, Endless());
  EXPECT_EQ(waiting.accepted().queue_position(), 1);
  const VerifyOutcome refused = client_.Verify(TinyUnsat());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf(refused.status).reason(), "QUEUE_FULL");
  EXPECT_GT(DetailOf(refused.status).retry_delay_s(), 0);
  waiting.Cancel();
  EXPECT_EQ(waiting.Finish().status.error_code(), grpc::StatusCode::CANCELLED);
  // The server hears of it a little later.
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.1);
  VerifyOutcome waited;
  EXPECT_TRUE(Eventually([&] {
    waited = client_.Verify(request);
    return waited.status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED;
  })) << "there is room in the queue again";
  EXPECT_EQ(waited.result.limit(), v1::LIMIT_TIME) << waited.status.error_message();
}

TEST_F(Verify, ASlowReaderDoesNotBlockAndGetsProgressAtMostFiveTimesASecond) {
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(2);
  const absl::Time start = absl::Now();
  OpenVerify unread(client_, request);
  OpenVerify(client_, TinyUnsat()).Finish();
  // The only worker has served another call, so the search has ended although nobody was reading.
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const VerifyOutcome outcome = unread.Finish();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_LE(outcome.progress_events, 5 * seconds + 1);
}

TEST(VerifyTogether, TwoClientsOnOneServer) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--concurrency", "2"});
  Client first(server.address()), second(server.address());
  OpenVerify running(first, Endless());
  EXPECT_EQ(second.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(second.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
  EXPECT_TRUE(running.WaitForProgress());
}

TEST(VerifyTogether, ManyConcurrentCallsAllGetAnAnswer) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--concurrency", "2"});
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Client client(server.address());
      for (int i = 0; i < 5; ++i) {
        const bool sat = (t + i) % 2 == 0;
        const VerifyOutcome outcome = client.Verify(sat ? TinySat() : TinyUnsat());
        right += outcome.result.answer() == (sat ? v1::ANSWER_SAT : v1::ANSWER_UNSAT) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 40);
}

}  // namespace
}  // namespace espalier::service_test
