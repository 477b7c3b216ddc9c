#include "verifier/search/attack.h"

#include "tests/unit/search/small_query.h"

namespace espalier::search {
namespace {

// y = relu(a + b) - 2 relu(a - b): smallest, -4, at (1, -1).
ir::Network Slope() {
  return bounds::DenseNetwork(2, {{{{1, 1}, {1, -1}}, {0, 0}}, {{{1, -2}}, {0}}}, {bounds::Relu()});
}

TEST(AttackTest, FindsAnObviousCounterexample) {
  Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -3.9)}));
  const auto found = Attack(*query.run).Random({0}, {.restarts = 8, .steps = 30, .seed = 1});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(*found);
  EXPECT_NEAR(query.run->witness()->input[0], 1, 0.06);
  EXPECT_NEAR(query.run->witness()->input[1], -1, 0.06);
}

TEST(AttackTest, FindsNothingWhereThereIsNothing) {
  Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -4.1)}));
  const auto found = Attack(*query.run).Random({0}, {.restarts = 8, .steps = 30, .seed = 1});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(*found);
  EXPECT_FALSE(query.run->witness().has_value());
}

TEST(AttackTest, GivenPointsAreTriedEvenWithoutSteps) {
  Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -3.9)}));
  const auto miss = Attack(*query.run).From({0}, {0.0, 0.0}, 0);
  ASSERT_TRUE(miss.ok());
  EXPECT_FALSE(*miss);
  EXPECT_EQ(query.judge.asked, 0) << "a point far from the unsafe set is not worth a replay";
  const auto hit = Attack(*query.run).From({0, 0}, {0.0, 0.0, 1.0, -1.0}, 0);
  ASSERT_TRUE(hit.ok());
  EXPECT_TRUE(*hit);
  EXPECT_EQ(query.run->witness()->input, (std::vector<double>{1, -1}));
}

TEST(AttackTest, PointsOutsideAreMovedIntoTheBox) {
  Query query(Slope(), OneDisjunct(2, 1, -0.1, 0.1, {OutputRow(1, 100)}));
  const auto found = Attack(*query.run).From({0}, {5.0, -7.0}, 0);
  ASSERT_TRUE(found.ok());
  ASSERT_TRUE(*found);
  for (double x : query.run->witness()->input) {
    EXPECT_GE(x, -0.1);  // exactly inside the double box, although 0.1 is no float32 number
    EXPECT_LE(x, 0.1);
  }
}

TEST(AttackTest, RowsOfAConjunctionMustAllHold) {
  // -1 <= y <= -0.9 is reached, y <= -1 and y >= -0.9 is not.
  Query reachable(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.9), OutputRow(-1, 1)}));
  EXPECT_TRUE(*Attack(*reachable.run).Random({0}, {.restarts = 30, .steps = 60, .seed = 3}));
  Query contradiction(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -1), OutputRow(-1, 0.9)}));
  EXPECT_FALSE(*Attack(*contradiction.run).Random({0}, {.restarts = 30, .steps = 60, .seed = 3}));
}

TEST(AttackTest, InputTermsSteerTheDescent) {
  // y is constant; only the input term makes the row hold: x_0 <= -0.8.
  api::LinearRow row;
  row.input = {{0, 1.0}};
  row.rhs = -0.8;
  Query query(bounds::DenseNetwork(2, {{{{0, 0}}, {1}}}, {}), OneDisjunct(2, 1, -1, 1, {row}));
  const auto found = Attack(*query.run).Random({0}, {.restarts = 1, .steps = 20, .seed = 1});
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(*found);
}

TEST(AttackTest, SamplesThatGetNowhereAreLeft) {
  // From the centre -3.9 is within reach of the steps, -40 is not: ten times as far as all that they gain.
  const AttackSettings settings{.restarts = 1, .steps = 20, .seed = 1, .give_up = true};
  Query near(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -3.9)}));
  EXPECT_TRUE(*Attack(*near.run).Random({0}, settings));
  Query far(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -40)}));
  EXPECT_FALSE(*Attack(*far.run).Random({0}, settings));
  EXPECT_EQ(near.run->statistics.counters["attack_samples_left"], 0);
  EXPECT_EQ(far.run->statistics.counters["attack_samples_left"], 1);
}

TEST(AttackTest, NobodyIsLeftBeforeTheFirstStep) {
  Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -1.9)}));
  EXPECT_TRUE(*Attack(*query.run).Random({0}, {.restarts = 1, .steps = 5, .seed = 1, .give_up = true}));
}

TEST(AttackTest, WhoStaysGoesOnFromWhereItWas) {
  // Two targets: what is left of the first one must not disturb the second one's descent.
  const api::LinearRow far = OutputRow(1, -40), near = OutputRow(1, -3.95);
  api::Property property = OneDisjunct(2, 1, -1, 1, {far});
  property.disjuncts.push_back(property.disjuncts[0]);
  property.disjuncts[1].rows = {near};
  Query both(Slope(), property), alone(Slope(), OneDisjunct(2, 1, -1, 1, {near}));
  EXPECT_TRUE(*Attack(*both.run).Random({0, 1}, {.restarts = 1, .steps = 20, .seed = 1, .give_up = true}));
  EXPECT_TRUE(*Attack(*alone.run).Random({0}, {.restarts = 1, .steps = 20, .seed = 1}));
  EXPECT_EQ(both.run->witness()->input, alone.run->witness()->input);
}

TEST(AttackTest, TheSameSeedAsksTheSame) {
  std::vector<int> asked;
  for (int round = 0; round < 2; ++round) {
    Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -3.99)}));
    (void)*Attack(*query.run).Random({0}, {.restarts = 5, .steps = 40, .seed = 9});
    asked.push_back(query.judge.asked);
  }
  EXPECT_EQ(asked[0], asked[1]);
}

TEST(AttackTest, CancelledAttacksEndAtOnce) {
  StopSource source;
  source.Cancel();
  Query query(Slope(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -3.9)}), {}, source.token());
  const auto found = Attack(*query.run).Random({0}, {.restarts = 4, .steps = 1000000000, .seed = 1});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(*found);
}

}  // namespace
}  // namespace espalier::search
