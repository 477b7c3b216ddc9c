#include "verifier/search/leaf_lp.h"

#include "tests/unit/search/small_query.h"

namespace espalier::search {
namespace {

// y = relu(x) + 2 relu(-x - 0.5) on [-1, 1]; both neurons are unstable.
ir::Network TwoNeurons() {
  return bounds::DenseNetwork(1, {{{{1}, {-1}}, {0, -0.5}}, {{{1, 2}}, {0}}}, {bounds::Relu()});
}

Domain Leaf(int8_t first, int8_t second, size_t rows = 1) {
  Domain domain;
  domain.splits = {{0, first, 0, 0.0f}, {0, second, 1, 0.0f}};
  domain.weights.assign(rows, 0.0);
  domain.weights[0] = 1;
  return domain;
}

LeafEnd Decide(Query& query, Domain domain) {
  SharedRoot root = query.Root();
  EXPECT_EQ(root.slope_count, 2);
  const auto end = DecideLeaf(*query.run, root, domain);
  EXPECT_TRUE(end.ok()) << end.status();
  return *end;
}

TEST(LeafLpTest, RefutesByItsDuals) {
  // On x >= 0 (second neuron inactive) y = x >= 0; only the split shows it: on the whole box x reaches -1.
  Query query(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(1, -0.1)}));
  EXPECT_EQ(Decide(query, Leaf(+1, -1)), LeafEnd::kRefuted);
  EXPECT_FALSE(query.run->witness().has_value());
}

TEST(LeafLpTest, ItsOptimumIsAWitness) {
  Query query(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(-1, -0.9)}));  // y >= 0.9
  EXPECT_EQ(Decide(query, Leaf(+1, -1)), LeafEnd::kWitness);
  EXPECT_NEAR(query.run->witness()->input[0], 1, 1e-9);
}

TEST(LeafLpTest, TheOtherLeafHasItsOwnAnswer) {
  // On x <= -0.5 y = -2 x - 1 <= 1: y >= 1.5 is out of reach there, y >= 0.9 is not.
  Query out_of_reach(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(-1, -1.5)}));
  EXPECT_EQ(Decide(out_of_reach, Leaf(-1, +1)), LeafEnd::kRefuted);
  Query reachable(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(-1, -0.9)}));
  EXPECT_EQ(Decide(reachable, Leaf(-1, +1)), LeafEnd::kWitness);
  EXPECT_NEAR(reachable.run->witness()->input[0], -1, 0.06);
}

TEST(LeafLpTest, ContradictorySplitsAreRefutedWhateverTheRows) {
  // x >= 0 and -x - 0.5 >= 0.
  Query query(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(1, 100)}));
  EXPECT_EQ(Decide(query, Leaf(+1, +1)), LeafEnd::kRefuted);
}

TEST(LeafLpTest, RowsOfAConjunctionAreCombined) {
  // y <= 0.2 and y >= 0.3: neither alone is out of reach on x >= 0.
  Query query(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(1, 0.2), OutputRow(-1, -0.3)}));
  EXPECT_EQ(Decide(query, Leaf(+1, -1, 2)), LeafEnd::kRefuted);
}

TEST(LeafLpTest, AWitnessThatTheJudgeRefusesIsNoRefutation) {
  // y <= 0 touches y = 0 at x = 0; the row asks for less than that by one part in 1e17: too close to call.
  Query query(TwoNeurons(), OneDisjunct(1, 1, -1, 1, {OutputRow(1, -1e-17)}));
  EXPECT_EQ(Decide(query, Leaf(+1, -1)), LeafEnd::kUndecided);
  EXPECT_EQ(query.run->undecided(), 1);
  EXPECT_GE(query.run->gap(), 0);
  EXPECT_LT(query.run->gap(), 1e-9);
  EXPECT_EQ(query.run->open_targets(), 1);
}

// y = relu(x) / 3 on [-1000, 1000]. On x >= 0, y <= -1e-6 is out of reach; the multiplier that shows it is a
// third, whose rounding to float32 costs 1e-8 for every unit of the box: more than there is to spare.
TEST(LeafLpTest, HalvesTheBoxWhereRoundedMultipliersDoNotDecide) {
  const ir::Network network = bounds::DenseNetwork(1, {{{{1}}, {0}}, {{{1.0 / 3}}, {0}}}, {bounds::Relu()});
  Query query(network, OneDisjunct(1, 1, -1000, 1000, {OutputRow(1, -1e-6)}));
  SharedRoot root = query.Root();
  Domain leaf;
  leaf.splits = {{0, +1, 0, 0.0f}};
  leaf.weights = {1};
  const auto end = DecideLeaf(*query.run, root, leaf);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, LeafEnd::kRefuted);
  EXPECT_GT(query.run->statistics.counters["leaf_halvings"], 0);
  EXPECT_EQ(query.run->undecided(), 0);
}

TEST(LeafLpTest, HalvesThatHoldAWitnessAreNotRefuted) {
  // The judge refuses the whole box's optimum, x = 0, but not the points beside it.
  class RefusesZero : public CountingJudge {
   public:
    using CountingJudge::CountingJudge;
    std::optional<api::Witness> Judge(absl::Span<const double> input) const override {
      return input[0] == 0 ? std::nullopt : CountingJudge::Judge(input);
    }
  };
  const ir::Network network = bounds::DenseNetwork(1, {{{{1}}, {0}}, {{{1.0 / 3}}, {0}}}, {bounds::Relu()});
  Query query(network, OneDisjunct(1, 1, -1000, 1000, {OutputRow(1, 300)}));
  const RefusesZero judge(query.planned.network, query.property);
  search::Run run(query.problem, *query.planned.plan, query.options, judge, nullptr, StopToken());
  SharedRoot root = query.Root();
  Domain leaf;
  leaf.splits = {{0, +1, 0, 0.0f}};
  leaf.weights = {1};
  const auto end = DecideLeaf(run, root, leaf);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_NE(*end, LeafEnd::kRefuted);
}

}  // namespace
}  // namespace espalier::search
