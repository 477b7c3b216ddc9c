#include "verifier/check/witness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "verifier/ops/ops.h"

namespace espalier::check {
namespace {

using Terms = std::vector<std::pair<int32_t, double>>;
using Point = std::vector<double>;

// A chain of Adds of constants to one input of shape [1, size], in the given element type.
ir::Graph AddChain(int64_t size, const std::vector<double>& constants,
                   ElementType type = ElementType::kFloat32) {
  ir::Graph graph;
  graph.opset = 13;
  const auto add_value = [&](const std::string& name) {
    ir::GraphValue value;
    value.name = name;
    value.type = type;
    graph.values.push_back(value);
    return static_cast<ir::ValueId>(graph.values.size() - 1);
  };
  ir::ValueId current = add_value("x");
  graph.values[0].shape = Shape{1, size};
  graph.inputs = {current};
  for (const double constant : constants) {
    const std::string index = std::to_string(graph.nodes.size());
    const ir::ValueId operand = add_value("c" + index), sum = add_value("y" + index);
    graph.values[static_cast<size_t>(operand)].shape = Shape{1};
    graph.values[static_cast<size_t>(operand)].constant =
        type == ElementType::kFloat64 ? Tensor::FromDoubles({1}, {constant})
                                      : Tensor::FromFloats({1}, {static_cast<float>(constant)});
    graph.nodes.push_back({"add" + index, "Add", "", {current, operand}, {sum}, {}});
    current = sum;
  }
  graph.outputs = {current};
  const auto unsupported = ops::Prepare(graph);
  EXPECT_TRUE(unsupported.ok()) << unsupported.status();
  EXPECT_TRUE(unsupported.ok() && unsupported->empty());
  return graph;
}

// Unsafe: x in the box and y_0 >= threshold.
api::Property AtLeast(api::Box box, double threshold, bool strict = false) {
  api::Property property;
  property.input_size = property.output_size = static_cast<int64_t>(box.lower.size());
  property.boxes = {std::move(box)};
  property.disjuncts = {{0, {{{}, {{0, -1}}, -threshold, strict}}}};
  return property;
}

TEST(WitnessTest, AViolatingPointIsReplayed) {
  const auto witness = ReplayWitness(AddChain(2, {1}), AtLeast({{0, 0}, {1, 1}}, 1.5), Point{0.75, 0.25});
  ASSERT_TRUE(witness.has_value());
  EXPECT_EQ(witness->input, (Point{0.75, 0.25}));
  EXPECT_EQ(witness->output, (Point{1.75, 1.25}));
  EXPECT_FALSE(witness->rounded);
}

TEST(WitnessTest, ASafePointIsNot) {
  const Replay replay = ReplayCandidate(AddChain(1, {1}), AtLeast({{0}, {1}}, 1.5), Point{0.25});
  EXPECT_FALSE(replay.witness.has_value());
  EXPECT_EQ(replay.margin, -0.25);
}

TEST(WitnessTest, PointsOutsideAreClampedFirst) {
  const auto witness = ReplayWitness(AddChain(1, {1}), AtLeast({{0}, {1}}, 2), Point{5});
  ASSERT_TRUE(witness.has_value());
  EXPECT_EQ(witness->input, Point{1});
  EXPECT_FALSE(ReplayWitness(AddChain(1, {1}), AtLeast({{0}, {0.5}}, 2), Point{5}).has_value());
}

TEST(WitnessTest, ViolationInDoubleAloneIsNotEnough) {
  // x + 2^24 loses the last bit in float32, so 1 + 2^24 - 2^24 is 0 there.
  const double big = 16777216;
  const ir::Graph graph = AddChain(1, {big, -big});
  EXPECT_FALSE(ReplayWitness(graph, AtLeast({{0}, {2}}, 0.5), Point{1}).has_value());
  const Replay enough = ReplayCandidate(graph, AtLeast({{0}, {2}}, 0.5), Point{2});
  EXPECT_TRUE(enough.witness.has_value());
}

TEST(WitnessTest, ViolationInFloat32AloneIsNotEnough) {
  // 3 + 2^24 rounds to 4 + 2^24 in float32.
  const double big = 16777216;
  const Replay replay = ReplayCandidate(AddChain(1, {big, -big}), AtLeast({{0}, {3}}, 3.5), Point{3});
  EXPECT_FALSE(replay.witness.has_value());
  EXPECT_EQ(replay.margin, -0.5);
}

TEST(WitnessTest, RobustMeansThatAnotherFloat32EvaluationAgrees) {
  const ir::Graph graph = AddChain(1, {1});
  EXPECT_TRUE(ReplayCandidate(graph, AtLeast({{0}, {1}}, 1.5), Point{1}).robust);
  const Replay edge = ReplayCandidate(graph, AtLeast({{0}, {1}}, 2), Point{1});
  EXPECT_TRUE(edge.witness.has_value());
  EXPECT_EQ(edge.margin, 0);
  EXPECT_FALSE(edge.robust);
  const Replay noisy =
      ReplayCandidate(AddChain(1, {16777216, -16777216}), AtLeast({{0}, {3}}, 2.5), Point{3});
  EXPECT_TRUE(noisy.witness.has_value());
  EXPECT_FALSE(noisy.robust);
}

TEST(WitnessTest, FixedInputsThatFloat32DoesNotHave) {
  const auto witness = ReplayWitness(AddChain(2, {0}), AtLeast({{0.1, 0}, {0.1, 1}}, 0.05), Point{0.1, 0.3});
  ASSERT_TRUE(witness.has_value());
  EXPECT_TRUE(witness->rounded);
  EXPECT_EQ(witness->input[0], 0.1);
  EXPECT_EQ(witness->input[1], static_cast<double>(0.3f));
  EXPECT_EQ(witness->output[0], static_cast<double>(0.1f));
}

TEST(WitnessTest, TheReportedPointIsTheOneThatWasReplayed) {
  const api::Box box{{0}, {0.1}};
  const auto witness = ReplayWitness(AddChain(1, {0}), AtLeast(box, 0.0999), Point{0.1});
  ASSERT_TRUE(witness.has_value());
  EXPECT_LE(witness->input[0], 0.1);
  EXPECT_EQ(static_cast<double>(static_cast<float>(witness->input[0])), witness->output[0]);
}

TEST(WitnessTest, StrictBoundsAndRows) {
  const ir::Graph graph = AddChain(1, {1});
  EXPECT_TRUE(ReplayWitness(graph, AtLeast({{0}, {1}}, 2, false), Point{1}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, AtLeast({{0}, {1}}, 2, true), Point{1}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, AtLeast({{0}, {1}, {2}}, 2, false), Point{1}).has_value());
  const auto inside = ReplayWitness(graph, AtLeast({{0}, {1}, {2}}, 1.5), Point{1});
  ASSERT_TRUE(inside.has_value());
  EXPECT_LT(inside->input[0], 1);
}

TEST(WitnessTest, RowsOverInputsCount) {
  api::Property property = AtLeast({{0, 0}, {1, 1}}, 1);
  property.disjuncts[0].rows.push_back({{{0, 1}, {1, 1}}, {}, 1, false});  // x_0 + x_1 <= 1
  const ir::Graph graph = AddChain(2, {1});
  EXPECT_TRUE(ReplayWitness(graph, property, Point{0.5, 0.5}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, property, Point{0.75, 0.5}).has_value());
}

TEST(WitnessTest, AnyDisjunctOfTheNearestBoxes) {
  api::Property property = AtLeast({{0}, {1}}, 100);
  property.boxes.push_back({{2}, {3}});
  property.disjuncts.push_back({1, {{{}, {{0, 1}}, 3.25, false}}});   // y <= 3.25 on [2, 3]
  property.disjuncts.push_back({1, {{{}, {{0, -1}}, -3.5, false}}});  // y >= 3.5 on [2, 3]
  const ir::Graph graph = AddChain(1, {1});
  EXPECT_EQ(ReplayWitness(graph, property, Point{2})->input, Point{2});
  EXPECT_EQ(ReplayWitness(graph, property, Point{2.75})->input, Point{2.75});
  EXPECT_FALSE(ReplayWitness(graph, property, Point{2.375}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, property, Point{1.25}).has_value());
  EXPECT_EQ(ReplayWitness(graph, property, Point{1.75})->input, Point{2});
}

TEST(WitnessTest, BoxesFartherAwayAreNotTried) {
  api::Property property = AtLeast({{0}, {1}}, 0);
  property.boxes.push_back({{2}, {3}});
  property.disjuncts.push_back({1, {{{}, {{0, -1}}, -100, false}}});
  EXPECT_TRUE(ReplayWitness(AddChain(1, {1}), property, Point{1.25}).has_value());
  EXPECT_FALSE(ReplayWitness(AddChain(1, {1}), property, Point{2.5}).has_value());
}

TEST(WitnessTest, ARobustDisjunctIsPreferred) {
  api::Property property = AtLeast({{0}, {1}}, 2);  // holds with slack 0
  property.disjuncts.push_back({0, {{{}, {{0, -1}}, -1.5, false}}});
  const Replay replay = ReplayCandidate(AddChain(1, {1}), property, Point{1});
  EXPECT_TRUE(replay.robust);
  EXPECT_EQ(replay.margin, 0.5);
}

TEST(WitnessTest, DoubleModelsAreReplayedAtTheDoublePoint) {
  const ir::Graph graph = AddChain(1, {16777216, -16777216}, ElementType::kFloat64);
  const auto witness = ReplayWitness(graph, AtLeast({{0.1}, {0.1}}, 0.0999), Point{0.1});
  ASSERT_TRUE(witness.has_value());
  EXPECT_EQ(witness->input, Point{0.1});
  EXPECT_FALSE(witness->rounded);
  EXPECT_NEAR(witness->output[0], 0.1, 1e-8);
}

TEST(WitnessTest, NothingIsFoundForNanAndWrongSizes) {
  const ir::Graph graph = AddChain(1, {1});
  const api::Property property = AtLeast({{0}, {1}}, 0);
  EXPECT_TRUE(ReplayWitness(graph, property, Point{0.5}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, property, Point{std::nan("")}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, property, Point{}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, property, Point{0.5, 0.5}).has_value());
  EXPECT_FALSE(ReplayWitness(graph, api::Property{1, 1, {}, {}, {}}, Point{0.5}).has_value());
  EXPECT_FALSE(ReplayWitness(AddChain(2, {1}), property, Point{0.5}).has_value());
}

}  // namespace
}  // namespace espalier::check
