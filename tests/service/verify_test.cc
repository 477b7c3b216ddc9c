// Verify over the wire: events, answers, cancellation, deadlines, queues.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "absl/time/clock.h"
#include "tests/service/server_process.h"

namespace espalier::service_test {
namespace {

// The search must react within 100 ms; the rest is room for a loaded test machine.
const absl::Duration kReaction = absl::Milliseconds(100) + absl::Milliseconds(400);

std::string NewSocket(const TemporaryDirectory& directory) {
  return "unix:" + directory.Path("socket");
}

// One worker: a second verification starts only when the first one has stopped.
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

TEST_F(Verify, WarmCallIsFast) {
  client_.Verify(TinyUnsat());
  absl::Duration best = absl::InfiniteDuration();
  for (int i = 0; i < 20; ++i) best = std::min(best, client_.Verify(TinyUnsat()).elapsed);
  RecordProperty("best_ms", absl::FormatDuration(best));
  EXPECT_LT(best, absl::Milliseconds(10));
}

TEST_F(Verify, CancelStopsTheSearch) {
  grpc::ClientContext context;
  const auto reader = client_.stub().Verify(&context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(reader->Read(&event));
  absl::SleepFor(absl::Milliseconds(300));
  context.TryCancel();
  const VerifyOutcome next = client_.Verify(TinyUnsat());
  EXPECT_EQ(next.result.answer(), v1::ANSWER_UNSAT);
  EXPECT_LT(next.elapsed, kReaction);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(Verify, CallDeadlineStopsTheSearch) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(300)));
  const VerifyOutcome late = client_.Verify(Endless(), &context);
  const VerifyOutcome next = client_.Verify(TinyUnsat());
  EXPECT_EQ(next.result.answer(), v1::ANSWER_UNSAT);
  EXPECT_LT(next.elapsed, kReaction);
  EXPECT_LT(late.elapsed, absl::Milliseconds(300) + kReaction);
}

TEST_F(Verify, TimeLimitIsAVerdictNotAnError) {
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(0.5);
  const VerifyOutcome outcome = client_.Verify(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result.answer(), v1::ANSWER_UNKNOWN);
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_GE(outcome.elapsed, absl::Milliseconds(490));
  EXPECT_LT(outcome.elapsed, absl::Milliseconds(500) + kReaction);
}

TEST_F(Verify, TimeLimitCountsWaitingInTheQueue) {
  grpc::ClientContext context;
  const auto running = client_.stub().Verify(&context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(running->Read(&event));
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.2);
  const VerifyOutcome outcome = client_.Verify(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.events.front().accepted().queue_position(), 1);
  EXPECT_EQ(outcome.result.limit(), v1::LIMIT_TIME);
  EXPECT_LT(outcome.elapsed, absl::Milliseconds(200) + kReaction);
  context.TryCancel();
}

TEST_F(Verify, AFullQueueRefusesWithARetryDelayAndACancelledWaiterLeavesIt) {
  grpc::ClientContext running_context, waiting_context;
  const auto running = client_.stub().Verify(&running_context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(running->Read(&event));
  const auto waiting = client_.stub().Verify(&waiting_context, Endless());
  ASSERT_TRUE(waiting->Read(&event));
  const VerifyOutcome refused = client_.Verify(TinyUnsat());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf(refused.status).reason(), "QUEUE_FULL");
  EXPECT_GT(DetailOf(refused.status).retry_delay_s(), 0);
  waiting_context.TryCancel();
  EXPECT_EQ(waiting->Finish().error_code(), grpc::StatusCode::CANCELLED);
  absl::SleepFor(absl::Milliseconds(100));
  v1::VerifyRequest request = TinyUnsat();
  request.mutable_options()->set_timeout_s(0.1);
  EXPECT_EQ(client_.Verify(request).result.limit(), v1::LIMIT_TIME) << "there is room in the queue again";
  running_context.TryCancel();
}

TEST_F(Verify, ProgressComesAtMostFiveTimesASecondAndASlowReaderDoesNotBlock) {
  v1::VerifyRequest request = Endless();
  request.mutable_options()->set_timeout_s(1.5);
  grpc::ClientContext context;
  const absl::Time start = absl::Now();
  const auto reader = client_.stub().Verify(&context, request);
  absl::SleepFor(absl::Seconds(2));
  v1::VerifyEvent event;
  int progress = 0;
  double total_s = 0;
  while (reader->Read(&event)) {
    progress += event.has_progress() ? 1 : 0;
    if (event.has_result()) total_s = event.result().statistics().seconds().at("total");
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_LE(progress, 8);
  EXPECT_LT(total_s, 1.5 + absl::ToDoubleSeconds(kReaction))
      << "the search ended on time although nobody was reading";
  EXPECT_LT(absl::Now() - start, absl::Seconds(3));
}

TEST(VerifyTogether, TwoClientsOnOneServer) {
  ServerProcess server({"--listen", "127.0.0.1:0", "--concurrency", "2"});
  Client first(server.address()), second(server.address());
  grpc::ClientContext context;
  const auto running = first.stub().Verify(&context, Endless());
  v1::VerifyEvent event;
  ASSERT_TRUE(running->Read(&event));
  EXPECT_EQ(second.Verify(TinySat()).result.answer(), v1::ANSWER_SAT);
  EXPECT_EQ(second.Verify(TinyUnsat()).result.answer(), v1::ANSWER_UNSAT);
  context.TryCancel();
}

TEST_F(Verify, ManyConcurrentCallsAllGetAnAnswer) {
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
