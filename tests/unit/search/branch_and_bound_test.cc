// Both branch and bounds and the strategy above them on networks that can be decided on paper.
#include <thread>

#include "tests/unit/search/small_query.h"
#include "verifier/search/input_bab.h"
#include "verifier/search/relu_bab.h"
#include "verifier/search/root.h"
#include "verifier/search/strategy.h"

namespace espalier::search {
namespace {

enum class Method { kRelu, kInput };

api::Options WithoutAttack() {
  api::Options options;
  options.attack = 0;
  options.threads = 1;
  return options;
}

SearchEnd Search(Query& query, Method method) {
  if (method == Method::kInput) {
    auto end = InputBab(*query.run).Search();
    EXPECT_TRUE(end.ok()) << end.status();
    return *end;
  }
  auto root = BoundRoot(*query.run, 0, query.run->OpenTargets());
  EXPECT_TRUE(root.ok()) << root.status();
  if (root->open.empty()) return SearchEnd::kExhausted;
  SplitRatings ratings;
  auto end = ReluBab(*query.run, root->root, ratings).Search(std::move(root->open));
  EXPECT_TRUE(end.ok()) << end.status();
  return *end;
}

class BranchAndBoundTest : public ::testing::TestWithParam<Method> {};

TEST_P(BranchAndBoundTest, ProvesWhatOnlySplitsCanProve) {
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)}), WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
  EXPECT_GT(query.run->statistics.splits, 0);
  EXPECT_GT(query.run->statistics.domains, 1);
}

TEST_P(BranchAndBoundTest, FindsACounterexampleWithoutAttack) {
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.199)}), WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kWitness);
  ASSERT_TRUE(query.run->witness().has_value());
  EXPECT_GE(query.run->witness()->output[0], 0.199);
}

TEST_P(BranchAndBoundTest, TheValueJustOutOfReachIsNotReached) {
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.201)}), WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
}

TEST_P(BranchAndBoundTest, OneOpenDisjunctKeepsThePropertyOpen) {
  api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)});
  property.disjuncts.push_back({0, {OutputRow(-1, -0.1)}});
  property.disjuncts.push_back({0, {OutputRow(1, -10)}});
  Query query(TwoDistances(), property, WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kWitness);
  EXPECT_FALSE(query.run->refuted(1));
}

TEST_P(BranchAndBoundTest, ConjunctionsNeedOnlyBeImpossibleTogether) {
  // y <= 0.05 and y >= 0.1 are both reachable, together they are not.
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, 0.05), OutputRow(-1, -0.1)}),
              WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
}

TEST_P(BranchAndBoundTest, TheDomainLimitStopsIt) {
  api::Options options = WithoutAttack();
  options.max_domains = 1;
  options.batch = 1;
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.0005)}), options);
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kDomainLimit);
  EXPECT_EQ(query.run->open_targets(), 1);
}

TEST_P(BranchAndBoundTest, CancellingStopsItWithoutAClaim) {
  StopSource source;
  source.Cancel();
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)}), WithoutAttack(),
              source.token());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kStopped);
  EXPECT_EQ(query.run->open_targets(), 1);
}

TEST_P(BranchAndBoundTest, ATinyMemoryBudgetChangesOnlyTheOrder) {
  api::Options options = WithoutAttack();
  options.memory_bytes = 2000;
  options.batch = 2;
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)}), options);
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
}

TEST_P(BranchAndBoundTest, FixedInputsAreNoObstacle) {
  api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)});
  property.boxes[0].lower[1] = property.boxes[0].upper[1] = 0.25;
  Query query(TwoDistances(), property, WithoutAttack());
  EXPECT_EQ(Search(query, GetParam()), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
}

INSTANTIATE_TEST_SUITE_P(Methods, BranchAndBoundTest, ::testing::Values(Method::kRelu, Method::kInput),
                         [](const auto& param_info) {
                           return std::string(param_info.param == Method::kRelu ? "relu" : "input");
                         });

// A grafted neuron is linear: there is nothing to split, whatever its bounds.
TEST(ReluBabTest, GraftedNetworksNeedNoDomains) {
  const ir::Network network = bounds::DenseNetwork(
      2, {{{{1, -1}, {-1, 1}, {1, -1}, {-1, 1}}, {0, 0, 0, 0}}, {{{1, 1, -0.9, -0.9}}, {0}}},
      {{0.4, 0.4, 0.1}});
  Query query(network, OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)}), WithoutAttack());
  EXPECT_EQ(Search(query, Method::kRelu), SearchEnd::kExhausted);
  EXPECT_EQ(query.run->open_targets(), 0);
  EXPECT_EQ(query.run->statistics.domains, 0);
}

api::Verdict Decided(const api::Property& property, const api::Options& options, StopToken stop = {}) {
  const ir::Network network = TwoDistances();
  const CountingJudge judge(network, property);
  auto verdict = Decide(network, property, options, {judge, backend::CpuFactory(), nullptr, stop});
  EXPECT_TRUE(verdict.ok()) << verdict.status();
  return *verdict;
}

TEST(DecideTest, VerdictsAndLimits) {
  const api::Property safe = OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.05)});
  EXPECT_EQ(Decided(safe, WithoutAttack()).answer(), api::Answer::kVerified);
  const api::Verdict unsafe = Decided(OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.1)}), {});
  EXPECT_EQ(unsafe.answer(), api::Answer::kFalsified);
  EXPECT_TRUE(unsafe.witness().has_value());
  StopSource source;
  source.Cancel();
  const api::Verdict cancelled = Decided(safe, WithoutAttack(), source.token());
  EXPECT_EQ(cancelled.answer(), api::Answer::kUnknown);
  EXPECT_EQ(cancelled.limit(), api::Limit::kCancelled);
  api::Options hurried = WithoutAttack();
  hurried.timeout_s = 0;
  const api::Verdict late = Decided(safe, hurried);
  EXPECT_EQ(late.answer(), api::Answer::kUnknown);
  EXPECT_EQ(late.limit(), api::Limit::kTime);
}

TEST(DecideTest, TooCloseToCallIsSaidWithItsGap) {
  // y = relu(x) >= 0, asked to stay above zero by less than double can tell.
  const ir::Network network = bounds::DenseNetwork(1, {{{{1}}, {0}}, {{{1}}, {0}}}, {bounds::Relu()});
  const api::Property property = OneDisjunct(1, 1, -1, 1, {OutputRow(1, -1e-20)});
  api::Options options = WithoutAttack();
  options.input_split = 0;
  const auto verdict =
      Decide(network, property, options, {CountingJudge(network, property), backend::CpuFactory()});
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_EQ(verdict->answer(), api::Answer::kUnknown);
  EXPECT_EQ(verdict->limit(), api::Limit::kNumerical);
  EXPECT_NE(verdict->reason().find("below zero"), std::string::npos) << verdict->reason();
}

// Cancelled after some microseconds more each time, so that every phase is hit; the judge refuses whatever it
// is shown, so that the property, which does not hold, could only end in a false claim.
TEST(DecideTest, AStopAtAnyMomentIsNeverAClaim) {
  class Refusing : public api::WitnessJudge {
   public:
    std::optional<api::Witness> Judge(absl::Span<const double>) const override { return std::nullopt; }
  };
  const ir::Network network = TwoDistances();
  const api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.1)});
  int stopped = 0;
  for (int i = 0; i < 200; ++i) {
    api::Options options = WithoutAttack();
    options.input_split = i % 2;
    options.max_domains = 500;
    StopSource source;
    std::thread canceller([&] {
      absl::SleepFor(absl::Microseconds(20 * i));
      source.Cancel();
    });
    const auto verdict =
        Decide(network, property, options, {Refusing(), backend::CpuFactory(), nullptr, source.token()});
    canceller.join();
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_EQ(verdict->answer(), api::Answer::kUnknown);
    stopped += verdict->limit() == api::Limit::kCancelled ? 1 : 0;
  }
  EXPECT_GT(stopped, 0);
}

TEST(DecideTest, NothingUnsafeIsVerifiedAndEverythingUnsafeIsNot) {
  api::Property property = OneDisjunct(2, 1, -1, 1, {});
  EXPECT_EQ(Decided(property, WithoutAttack()).answer(), api::Answer::kFalsified);
  property.disjuncts.clear();
  EXPECT_EQ(Decided(property, WithoutAttack()).answer(), api::Answer::kVerified);
}

TEST(DecideTest, AJudgeThatRefusesEverythingNeverGivesVerified) {
  class Refusing : public api::WitnessJudge {
   public:
    std::optional<api::Witness> Judge(absl::Span<const double>) const override { return std::nullopt; }
  };
  const ir::Network network = TwoDistances();
  const api::Property property = OneDisjunct(2, 1, -1, 1, {OutputRow(-1, -0.1)});
  for (int64_t input_split : {0, 1}) {
    api::Options options;
    options.input_split = input_split;
    options.max_domains = 2000;
    const auto verdict = Decide(network, property, options, {Refusing(), backend::CpuFactory()});
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_EQ(verdict->answer(), api::Answer::kUnknown);
  }
}

}  // namespace
}  // namespace espalier::search
