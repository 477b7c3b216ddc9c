#include "verifier/search/problem.h"

#include <cmath>

#include "tests/unit/search/small_query.h"

namespace espalier::search {
namespace {

// Three inputs stored as ONNX elements 2, 0, 1; two outputs.
ir::Network Permuted() {
  ir::Network network = bounds::DenseNetwork(3, {{{{1, 2, 3}, {4, 5, 6}}, {0, 0}}}, {});
  network.input_order = {2, 0, 1};
  return network;
}

api::Property Valid() {
  api::Property property;
  property.input_size = 3;
  property.output_size = 2;
  property.boxes = {{{0, 1, 2}, {0, 11, 12}}};
  api::LinearRow row;
  row.input = {{2, 5.0}, {0, 7.0}};
  row.output = {{1, 2.0}, {1, 0.5}};  // named twice: summed
  row.rhs = 3;
  property.disjuncts = {{0, {row, OutputRow(1, 9)}}};
  return property;
}

TEST(MakeProblemTest, RowsAndBoxesMoveToStoredOrder) {
  const ir::Network network = Permuted();
  const auto problem = MakeProblem(network, Valid());
  ASSERT_TRUE(problem.ok()) << problem.status();
  EXPECT_EQ(problem->boxes[0].lower, (std::vector<double>{2, 0, 1}));
  EXPECT_EQ(problem->boxes[0].upper, (std::vector<double>{12, 0, 11}));
  const Target& target = problem->targets[0];
  EXPECT_EQ(target.rows, 2);
  EXPECT_EQ(target.input, (std::vector<double>{5, 7, 0, 0, 0, 0}));
  EXPECT_EQ(target.output, (std::vector<double>{0, 2.5, 1, 0}));
  EXPECT_EQ(target.rhs, (std::vector<double>{3, 9}));
  EXPECT_EQ(problem->FreeInputs(0), 2);
}

TEST(MakeProblemTest, RowsWithoutInputTermsKeepNone) {
  api::Property property = Valid();
  property.disjuncts[0].rows.erase(property.disjuncts[0].rows.begin());
  const auto problem = MakeProblem(Permuted(), property);
  ASSERT_TRUE(problem.ok());
  EXPECT_TRUE(problem->targets[0].input.empty());
}

void ExpectRefused(const api::Property& property, const std::string& words) {
  const auto problem = MakeProblem(Permuted(), property);
  EXPECT_EQ(problem.status().code(), absl::StatusCode::kInvalidArgument) << words;
  EXPECT_NE(problem.status().message().find(words), std::string::npos) << problem.status();
}

TEST(MakeProblemTest, WhatDoesNotFitIsRefused) {
  api::Property property = Valid();
  property.boxes[0].lower.pop_back();
  ExpectRefused(property, "box 0");
  property = Valid();
  property.boxes[0].lower[1] = 100;
  ExpectRefused(property, "X_1");
  for (double bad : {std::nan(""), double{INFINITY}}) {
    property = Valid();
    property.boxes[0].upper[2] = bad;
    ExpectRefused(property, "X_2");
  }
  for (int32_t box : {-1, 1}) {
    property = Valid();
    property.disjuncts[0].box = box;
    ExpectRefused(property, "box that does not exist");
  }
  property = Valid();
  property.disjuncts[0].rows[0].output[0].first = 2;
  ExpectRefused(property, "Y_2");
  property = Valid();
  property.disjuncts[0].rows[0].input[0].first = -1;
  ExpectRefused(property, "X_-1");
}

TEST(AppendRowTest, OneRowIsExact) {
  const auto problem = *MakeProblem(Permuted(), Valid());
  bounds::HostRows rows;
  AppendRow(problem, problem.targets[0], UnitWeights(problem.targets[0], 0), 4, {1e6, 1e6}, rows);
  EXPECT_EQ(rows.coefficients, (std::vector<double>{0, 2.5}));
  EXPECT_EQ(rows.input_coefficients, (std::vector<double>{5, 7, 0}));
  EXPECT_EQ(rows.offset, (std::vector<double>{-3}));
  EXPECT_EQ(rows.offset_error, (std::vector<double>{0}));
  EXPECT_EQ(rows.domain, (std::vector<int32_t>{4}));
}

TEST(AppendRowTest, CombinationsAreChargedForTheirRounding) {
  const auto problem = *MakeProblem(Permuted(), Valid());
  bounds::HostRows rows;
  const std::vector<double> weights = {0.1, 1.0 / 3};
  AppendRow(problem, problem.targets[0], weights, 0, {10, 100}, rows);
  EXPECT_NEAR(rows.coefficients[0], 1.0 / 3, 1e-15);
  EXPECT_NEAR(rows.coefficients[1], 0.25, 1e-15);
  EXPECT_NEAR(rows.offset[0], -0.3 - 3, 1e-14);
  // Every product and sum may lose half an ulp of what it touches.
  const double scale = 0.25 * 100 + 10.0 / 3 + 0.1 * (5 * 12) + 0.3 + 3;
  EXPECT_GE(rows.offset_error[0], 2 * 1.1e-16 * scale);
  EXPECT_LE(rows.offset_error[0], 1e-13 * scale);
}

// The exact margin of a combination against the rounded one: never further apart than what was charged.
TEST(AppendRowTest, TheChargeCoversTheLoss) {
  ir::Network network = bounds::DenseNetwork(1, {{{{1}, {1}}, {0, 0}}}, {});
  api::Property property = OneDisjunct(1, 2, -1, 1, {});
  for (int r = 0; r < 12; ++r) {
    api::LinearRow row = OutputRow(std::pow(-1.1, r) * 1e3, 0.1 * r);
    row.output.push_back({1, 1.0 / (r + 3)});
    property.disjuncts[0].rows.push_back(row);
  }
  const auto problem = *MakeProblem(network, property);
  std::vector<double> weights;
  for (int r = 0; r < 12; ++r) weights.push_back(1.0 / (7 + r));
  bounds::HostRows rows;
  AppendRow(problem, problem.targets[0], weights, 0, {50, 50}, rows);
  for (double y0 : {-50.0, 13.3, 50.0}) {
    for (double y1 : {-50.0, 0.7, 50.0}) {
      long double exact = 0;
      for (size_t r = 0; r < 12; ++r) {
        const Target& t = problem.targets[0];
        exact += static_cast<long double>(weights[r]) *
                 (static_cast<long double>(t.output[2 * r]) * y0 +
                  static_cast<long double>(t.output[2 * r + 1]) * y1 - t.rhs[r]);
      }
      const long double rounded = static_cast<long double>(rows.coefficients[0]) * y0 +
                                  static_cast<long double>(rows.coefficients[1]) * y1 + rows.offset[0];
      EXPECT_LE(rounded - rows.offset_error[0], exact);
    }
  }
}

TEST(AppendRowTest, RowsWithAndWithoutInputTermsMeet) {
  api::Property property = Valid();
  property.disjuncts.push_back({0, {OutputRow(1, 0)}});
  const auto problem = *MakeProblem(Permuted(), property);
  bounds::HostRows rows;
  AppendRow(problem, problem.targets[1], {1.0}, 0, {}, rows);
  AppendRow(problem, problem.targets[0], {1.0, 0.0}, 0, {}, rows);
  AppendRow(problem, problem.targets[1], {1.0}, 0, {}, rows);
  EXPECT_EQ(rows.input_coefficients, (std::vector<double>{0, 0, 0, 5, 7, 0, 0, 0, 0}));
}

TEST(RunTest, TargetsAreRefutedOnce) {
  Query query(TwoDistances(), OneDisjunct(2, 1, -1, 1, {OutputRow(1, -0.5)}));
  EXPECT_EQ(query.run->open_targets(), 1);
  query.run->Refute(0);
  query.run->Refute(0);
  EXPECT_EQ(query.run->open_targets(), 0);
  EXPECT_TRUE(query.run->refuted(0));
  EXPECT_TRUE(query.run->OpenTargets().empty());
}

TEST(RunTest, TheJudgeSeesPointsInOnnxOrder) {
  api::Property property = Valid();
  property.disjuncts[0].rows.clear();
  Query query(Permuted(), property);
  const std::vector<double> stored = {7, 0, 5};
  ASSERT_TRUE(query.run->TryWitness(stored.data()));
  EXPECT_EQ(query.run->witness()->input, (std::vector<double>{0, 5, 7}));
}

}  // namespace
}  // namespace espalier::search
