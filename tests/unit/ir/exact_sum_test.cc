// Sums that plain double gets wrong, and which coefficients a fold may keep.
#include "verifier/ir/exact_sum.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "verifier/ir/compose.h"

namespace espalier::ir {
namespace {

using Products = std::vector<std::pair<double, double>>;

ExactSum SumOf(const Products& products) {
  ExactSum sum;
  for (const auto& [a, b] : products) sum.AddProduct(a, b);
  return sum;
}

bool Accepts(const ExactSum& sum, double operands = 0) {
  RoundingBound bound(operands);
  return bound.Accept(sum);
}

double RoundingsOf(const ExactSum& sum, double operands = 0) {
  RoundingBound bound(operands);
  EXPECT_TRUE(bound.Accept(sum));
  return bound.roundings();
}

TEST(ExactSum, KeepsWhatCancellationLeaves) {
  const ExactSum sum = SumOf({{0x1p30, 0x1p30}, {1, 1}, {0x1p30, -0x1p30}});
  EXPECT_EQ(sum.result(), 1);
  EXPECT_EQ(RoundingsOf(sum), 0) << "exact";
}

TEST(ExactSum, KeepsTheLastBitsOfProducts) {
  const double a = 1 + 0x1p-52, b = 1 - 0x1p-52;
  EXPECT_EQ(SumOf({{a, b}, {-1, 1}}).result(), -0x1p-104);
  EXPECT_EQ(SumOf({{a, b}}).residual(), -0x1p-104);
  EXPECT_EQ(RoundingsOf(SumOf({{a, b}})), 1);
}

TEST(ExactSum, RefusesWhatIsLostBeyondTwoDoubles) {
  // 2^60 + 1 + 2^-60 - 2^60 - 1 = 2^-60: the parts span more than two doubles hold.
  ExactSum sum;
  for (double x : {0x1p60, 1.0, 0x1p-60, -0x1p60, -1.0}) sum.Add(x);
  EXPECT_GE(sum.lost(), 0x1p-60);
  EXPECT_FALSE(Accepts(sum));
  ExactSum harmless;
  for (double x : {0x1p60, 1.0, 0x1p-60}) harmless.Add(x);
  EXPECT_LE(RoundingsOf(harmless), 1.001);
}

TEST(ExactSum, LossBoundsTheErrorOfManyTerms) {
  std::mt19937_64 random(5);
  std::uniform_int_distribution<int64_t> mantissa(-(int64_t{1} << 53), int64_t{1} << 53);
  std::uniform_int_distribution<int> exponent(-30, 30);
  for (int round = 0; round < 200; ++round) {
    // Everything twice, with both signs, and 1: the real sum is 1 whatever gets lost on the way.
    ExactSum sum;
    std::vector<std::pair<double, double>> products;
    for (int i = 0; i < 100; ++i) {
      products.emplace_back(std::ldexp(static_cast<double>(mantissa(random)), exponent(random)),
                            static_cast<double>(mantissa(random)));
    }
    for (const auto& [a, b] : products) sum.AddProduct(a, b);
    sum.Add(1);
    for (const auto& [a, b] : products) sum.AddProduct(-a, b);
    EXPECT_LE(std::fabs(sum.result() + sum.residual() - 1), sum.lost());
    EXPECT_EQ(Accepts(sum), sum.lost() <= 0x1p-60 * std::fabs(sum.result()));
  }
}

TEST(ExactSum, OverflowIsNotAccepted) {
  const double huge = std::numeric_limits<double>::max();
  EXPECT_FALSE(Accepts(SumOf({{huge, 2}})));
  EXPECT_FALSE(Accepts(SumOf({{huge, 1}, {huge, 1}, {-huge, 1}})));
  EXPECT_FALSE(Accepts(SumOf({{huge, 2}, {huge, -2}})));
}

TEST(ExactSum, ProductsThatUnderflowAreNotAccepted) {
  EXPECT_FALSE(Accepts(SumOf({{0x1p-600, 0x1p-600}}))) << "0 instead of 2^-1200";
  EXPECT_FALSE(Accepts(SumOf({{(1 + 0x1p-52) * 0x1p-510, (1 + 0x1p-52) * 0x1p-510}})));
  EXPECT_TRUE(Accepts(SumOf({{0, 0x1p-600}, {5, 0}})));
  EXPECT_TRUE(Accepts(SumOf({{0x1p-600, 0x1p-600}, {1, 1}}))) << "far below the sum";
  ExactSum denormal;
  denormal.Add(0x1p-1074), denormal.Add(0x1p-1074);
  EXPECT_EQ(denormal.result(), 0x1p-1073);
  EXPECT_TRUE(Accepts(denormal));
}

TEST(RoundingBound, RoundedFactorsMustNotCancel) {
  const ExactSum single = SumOf({{0.1, 0.3}});
  EXPECT_EQ(RoundingsOf(single), 1);
  EXPECT_EQ(RoundingsOf(single, 1), 2);
  EXPECT_FALSE(Accepts(single, 3));
  const ExactSum cancelling = SumOf({{8, 1}, {-7, 1}});
  EXPECT_EQ(RoundingsOf(cancelling), 0);
  EXPECT_FALSE(Accepts(cancelling, 1)) << "an error of one unit in 8 is fifteen in 1";
  EXPECT_FALSE(Accepts(SumOf({{1, 1}, {-1, 1}}), 1)) << "the real value need not be 0";
}

TEST(RoundingBound, EveryFormOfProductAndSumIsExactOrRefused) {
  const DenseMap inner{3, 1, {0x1p30, 1, 0x1p30}};
  const std::vector<double> row{0x1p30, 1, -0x1p30};
  const SparseMap sparse_row{1, 3, {0, 3}, {0, 1, 2}, row};
  for (const LinearMap& outer : {LinearMap(DenseMap{1, 3, row}), LinearMap(sparse_row)}) {
    for (const LinearMap& in : {LinearMap(inner), LinearMap(ToSparse(inner))}) {
      const auto product = Compose(outer, in);
      ASSERT_TRUE(product);
      const double x = 1;
      double y = 0;
      Apply(*product, &x, &y);
      EXPECT_EQ(y, 1);
    }
  }
  double roundings = 1;
  EXPECT_FALSE(Compose(DenseMap{1, 3, row}, inner, &roundings)) << "rounded factors";
  EXPECT_FALSE(Sum(ScaleMap{{8.0}}, ScaleMap{{-7.0}}, &roundings));
  roundings = 0;
  ASSERT_TRUE(Compose(ScaleMap{{0.1, 2.0}}, ScaleMap{{0.3, 0.3}}, &roundings));
  EXPECT_EQ(roundings, 1);
}

}  // namespace
}  // namespace espalier::ir
