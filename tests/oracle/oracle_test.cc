// The oracle itself, on networks whose answer is known by hand, and against samples of random ones.
#include "tests/oracle/oracle.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/oracle/linear_program.h"
#include "tests/property/random_network.h"

namespace espalier::oracle {
namespace {

using ir::DenseMap;
using ir::IdentityMap;
using ir::LinearMap;

ir::LinearMapPtr Dense(int64_t rows, int64_t cols, std::vector<double> weights) {
  return std::make_shared<LinearMap>(DenseMap{rows, cols, std::move(weights)});
}

ir::NetworkNode Affine(ir::NodeId from, ir::LinearMapPtr map, std::vector<double> bias) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.size = static_cast<int64_t>(bias.size());
  node.terms = {{from, std::move(map)}};
  node.bias = std::move(bias);
  return node;
}

ir::NetworkNode Hinges(ir::NodeId from, ir::HingeLayer hinge) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kActivation;
  node.size = static_cast<int64_t>(hinge.left.size());
  node.predecessor = from;
  node.hinge = std::move(hinge);
  return node;
}

// outputs = W1 hinge(W0 x + b0), the smallest network shape.
ir::Network OneLayer(int64_t inputs, std::vector<double> w0, std::vector<double> b0, ir::HingeLayer hinge,
                     std::vector<double> w1, int64_t outputs) {
  const auto hidden = static_cast<int64_t>(b0.size());
  ir::Network network;
  network.nodes.emplace_back();
  network.nodes[0].size = inputs;
  network.nodes.push_back(Affine(0, Dense(hidden, inputs, std::move(w0)), std::move(b0)));
  network.nodes.push_back(Hinges(1, std::move(hinge)));
  network.nodes.push_back(Affine(2, Dense(outputs, hidden, std::move(w1)),
                                 std::vector<double>(static_cast<size_t>(outputs), 0.0)));
  network.output = 3;
  for (int64_t i = 0; i < inputs; ++i) network.input_order.push_back(i);
  return network;
}

api::LinearRow OutputRow(std::vector<std::pair<int32_t, double>> output, double rhs) {
  return {{}, std::move(output), rhs};
}

api::Property OneDisjunct(const ir::Network& network, std::vector<api::LinearRow> rows) {
  api::Property property;
  property.input_size = network.input_size();
  property.output_size = network.output_size();
  const auto n = static_cast<size_t>(network.input_size());
  property.boxes = {{std::vector<double>(n, -1.0), std::vector<double>(n, 1.0)}};
  property.disjuncts = {{0, std::move(rows)}};
  return property;
}

Answer Decide(const ir::Network& network, const api::Property& property) {
  EXPECT_TRUE(ir::CheckNetwork(network).ok()) << ir::CheckNetwork(network);
  auto answer = DecideProperty(network, property);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (answer.ok()) return *answer;
  Answer none;
  none.witness.resize(static_cast<size_t>(network.input_size()));
  return none;
}

TEST(LinearProgramTest, MinimisesOverABoxWithAConstraint) {
  const auto optimum = Solve({{0, 0}, {1, 1}, {-1, -2}, {{{1, 1}, 1.5}}});
  ASSERT_TRUE(optimum.ok());
  EXPECT_TRUE(optimum->feasible);
  EXPECT_NEAR(optimum->value, -2.5, 1e-9);
}

TEST(LinearProgramTest, ReportsAnEmptyRegion) {
  const auto optimum = Solve({{0}, {1}, {0}, {{{-1}, -2}}});
  ASSERT_TRUE(optimum.ok());
  EXPECT_FALSE(optimum->feasible);
}

TEST(OracleTest, AbsoluteValueHasItsMinimumAtTheKink) {
  const ir::Network net = OneLayer(1, {1}, {0.25}, {{-1}, {1}, {0}}, {1}, 1);
  const Answer answer = Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, -0.01)}));
  EXPECT_EQ(answer.reach, Reach::kUnreachable);
  EXPECT_NEAR(answer.margin, 0.01, 1e-9);
  EXPECT_NEAR(answer.witness[0], -0.25, 1e-6);
  EXPECT_EQ(answer.patterns, 2);
}

TEST(OracleTest, TouchingTheUnsafeSetIsAmbiguous) {
  const ir::Network net = OneLayer(1, {1}, {0.25}, {{-1}, {1}, {0}}, {1}, 1);
  EXPECT_EQ(Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, 0)})).reach, Reach::kAmbiguous);
  EXPECT_EQ(Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, 1e-5)})).reach, Reach::kReachable);
}

TEST(OracleTest, ConcaveHingeHasItsMinimumAtAnEnd) {
  // f(x) = 0.5 + (x < 0 ? 1 : -2) x on [-1, 1]: minimum -1.5 at x = 1
  const ir::Network net = OneLayer(1, {1}, {0}, {{1}, {-2}, {0.5}}, {1}, 1);
  const Answer answer = Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, -1.4)}));
  EXPECT_EQ(answer.reach, Reach::kReachable);
  EXPECT_NEAR(answer.margin, -0.1, 1e-9);
  EXPECT_NEAR(answer.witness[0], 1, 1e-6);
}

TEST(OracleTest, GraftsAndPrunedNeuronsMakeNoPatterns) {
  const ir::Network net =
      OneLayer(1, {1, 1, 1}, {0, 0, 0}, {{0.5, 0, 1}, {0.5, 0, 1}, {0.25, 0, 0}}, {1, 1, 1}, 1);
  const Answer answer = Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, -1.3)}));
  EXPECT_EQ(answer.patterns, 1);
  EXPECT_NEAR(answer.margin, 0.05, 1e-9);  // 1.5 x + 0.25 at x = -1 is -1.25
}

TEST(OracleTest, RowsOfADisjunctMustHoldTogether) {
  // y0 = relu(x), y1 = relu(-x): each can reach 0.5, never both.
  const ir::Network net = OneLayer(1, {1, -1}, {0, 0}, {{0, 0}, {1, 1}, {0, 0}}, {1, 0, 0, 1}, 2);
  const api::LinearRow first = OutputRow({{0, -1}}, -0.5), second = OutputRow({{1, -1}}, -0.5);
  EXPECT_EQ(Decide(net, OneDisjunct(net, {first})).reach, Reach::kReachable);
  EXPECT_EQ(Decide(net, OneDisjunct(net, {second})).reach, Reach::kReachable);
  const Answer both = Decide(net, OneDisjunct(net, {first, second}));
  EXPECT_EQ(both.reach, Reach::kUnreachable);
  EXPECT_NEAR(both.margin, 0.5, 1e-9);
}

TEST(OracleTest, AnyDisjunctIsEnoughAndNoneIsSafe) {
  const ir::Network net = OneLayer(1, {1}, {0}, {{0}, {1}, {0}}, {1}, 1);
  api::Property property = OneDisjunct(net, {OutputRow({{0, 1}}, -1)});
  property.disjuncts.push_back({0, {OutputRow({{0, -1}}, -0.9)}});
  EXPECT_EQ(Decide(net, property).reach, Reach::kReachable);
  property.disjuncts.pop_back();
  EXPECT_EQ(Decide(net, property).reach, Reach::kUnreachable);
  property.disjuncts.clear();
  EXPECT_EQ(Decide(net, property).reach, Reach::kUnreachable);
}

TEST(OracleTest, ADisjunctWithoutRowsIsReachedAnywhere) {
  const ir::Network net = OneLayer(1, {1}, {0}, {{0}, {1}, {0}}, {1}, 1);
  EXPECT_EQ(Decide(net, OneDisjunct(net, {})).reach, Reach::kReachable);
}

TEST(OracleTest, ReadsInputTermsAndTheInputOrder) {
  // stored input 0 is ONNX input 1; y = relu(stored 0). Unsafe: y <= x1 - 0.1, never true since y >= x1.
  ir::Network net = OneLayer(2, {1, 0}, {0}, {{0}, {1}, {0}}, {1}, 1);
  net.input_order = {1, 0};
  api::LinearRow row = OutputRow({{0, 1}}, -0.1);
  row.input = {{1, -1}};
  EXPECT_EQ(Decide(net, OneDisjunct(net, {row})).reach, Reach::kUnreachable);
  row.input = {{0, -1}};
  EXPECT_EQ(Decide(net, OneDisjunct(net, {row})).reach, Reach::kReachable);
}

TEST(OracleTest, FollowsASkipConnection) {
  // y = relu(x) - x = relu(-x) in [0, 1]
  ir::Network net = OneLayer(1, {1}, {0}, {{0}, {1}, {0}}, {1}, 1);
  net.nodes[3].terms.push_back({0, Dense(1, 1, {-1})});
  EXPECT_NEAR(Decide(net, OneDisjunct(net, {OutputRow({{0, 1}}, -0.01)})).margin, 0.01, 1e-9);
  EXPECT_NEAR(Decide(net, OneDisjunct(net, {OutputRow({{0, -1}}, -1.01)})).margin, 0.01, 1e-9);
}

TEST(OracleTest, NoSampleGoesBelowTheMargin) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    testing::Random random(seed);
    const ir::Network net =
        testing::RandomNetwork(random, {.inputs = random.Int(1, 5), .outputs = 2, .max_hinges = 9});
    const api::Property property =
        testing::RandomProperty(random, net, {.boxes = 2, .disjuncts = 2, .rows = 3});
    for (size_t d = 0; d < property.disjuncts.size(); ++d) {
      const auto answer = DecideDisjunct(net, property, d);
      ASSERT_TRUE(answer.ok()) << answer.status();
      const api::Box& box = property.boxes[static_cast<size_t>(property.disjuncts[d].box)];
      for (int i = 0; i < 300; ++i) {
        const std::vector<double> point = testing::RandomPoint(random, box);
        ASSERT_GE(testing::DisjunctMargin(net, property.disjuncts[d], point), answer->margin - 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace espalier::oracle
