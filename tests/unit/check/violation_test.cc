#include "verifier/check/violation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace espalier::check {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

api::LinearRow Row(std::vector<std::pair<int32_t, double>> input,
                   std::vector<std::pair<int32_t, double>> output, double rhs, bool strict = false) {
  return {std::move(input), std::move(output), rhs, strict};
}

TEST(MeasureRowTest, SlackAndScale) {
  const RowSlack row =
      MeasureRow(Row({{1, 2}}, {{0, -1}}, 10), std::vector<double>{7, 3}, std::vector<double>{4});
  EXPECT_EQ(row.slack, 10 - 2 * 3 + 4);
  EXPECT_EQ(row.scale, 10 + 6 + 4);
}

TEST(MeasureRowTest, TheSignIsExactWhereDoubleArithmeticLosesIt) {
  const std::vector<double> y = {1e16, 1, -1e16};
  // 1e16 + 1 - 1e16 is 0 in double, in this order.
  EXPECT_EQ(MeasureRow(Row({}, {{0, 1}, {1, 1}, {2, 1}}, 0), {}, y).slack, -1);
  // A product whose last bits do not fit: (1 + e)^2 = 1 + 2e + e^2 with e = 2^-52.
  const double e = std::ldexp(1, -52);
  EXPECT_EQ(MeasureRow(Row({}, {{0, 1 + e}}, 1 + 2 * e), {}, std::vector<double>{1 + e}).slack, -e * e);
  EXPECT_EQ(MeasureRow(Row({}, {{0, 0.1}, {0, -0.1}}, 0), {}, std::vector<double>{0.3}).slack, 0);
}

TEST(MeasureRowTest, OverflowIsNoNumber) {
  EXPECT_TRUE(std::isnan(MeasureRow(Row({}, {{0, 1e200}}, 0), {}, std::vector<double>{1e200}).slack));
  EXPECT_TRUE(std::isnan(MeasureRow(Row({}, {{0, 1}}, 0), {}, std::vector<double>{std::nan("")}).slack));
  EXPECT_TRUE(std::isnan(MeasureRow(Row({}, {{0, 1}}, 0), {}, std::vector<double>{-kInfinity}).slack));
}

TEST(ViolatesTest, AllRowsMustHold) {
  const api::Disjunct disjunct{0, {Row({}, {{0, 1}}, 1), Row({{0, 1}}, {{1, 1}}, 5)}};
  const std::vector<double> x = {2};
  EXPECT_TRUE(Violates(disjunct, x, std::vector<double>{1, 3}));
  EXPECT_FALSE(Violates(disjunct, x, std::vector<double>{1.5, 3}));
  EXPECT_FALSE(Violates(disjunct, x, std::vector<double>{1, 3.5}));
  EXPECT_EQ(ViolationMargin(disjunct, x, std::vector<double>{0, 2.5}), 0.5);
}

TEST(ViolatesTest, StrictRowsExcludeEquality) {
  EXPECT_TRUE(Violates({0, {Row({}, {{0, 1}}, 1, false)}}, {}, std::vector<double>{1}));
  EXPECT_FALSE(Violates({0, {Row({}, {{0, 1}}, 1, true)}}, {}, std::vector<double>{1}));
  EXPECT_TRUE(Violates({0, {Row({}, {{0, 1}}, 1, true)}}, {}, std::vector<double>{std::nextafter(1, 0)}));
}

TEST(ViolatesTest, WithoutRowsTheWholeBoxIsUnsafe) {
  EXPECT_TRUE(Violates({0, {}}, std::vector<double>{1}, std::vector<double>{1}));
  EXPECT_EQ(ViolationMargin({0, {}}, {}, {}), kInfinity);
}

TEST(ViolatesTest, NanInfinityAndWrongSizesViolateNothing) {
  const api::Disjunct row{0, {Row({}, {{0, 1}}, 1)}};
  for (const double bad : {std::nan(""), kInfinity, -kInfinity}) {
    EXPECT_FALSE(Violates(row, {}, std::vector<double>{bad}));
    EXPECT_FALSE(Violates(row, std::vector<double>{bad}, std::vector<double>{0}));
    EXPECT_FALSE(Violates({0, {}}, {}, std::vector<double>{bad}));
    EXPECT_EQ(ViolationMargin(row, {}, std::vector<double>{bad}), -kInfinity);
  }
  EXPECT_FALSE(Violates(row, {}, {}));
  EXPECT_FALSE(Violates({0, {Row({}, {{-1, 1}}, 1)}}, {}, std::vector<double>{0}));
  EXPECT_EQ(ViolationMargin(row, {}, {}), -kInfinity);
}

}  // namespace
}  // namespace espalier::check
