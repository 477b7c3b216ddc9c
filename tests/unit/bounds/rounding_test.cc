#include "verifier/bounds/rounding.h"

#include <gtest/gtest.h>

#include <random>

namespace espalier::bounds {
namespace {

TEST(RoundingTest, FloatsEncloseTheDouble) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (int i = 0; i < 100000; ++i) {
    const double value = uniform(random) * std::pow(10.0, 40 * uniform(random));
    const float low = RoundDown<float>(value), high = RoundUp<float>(value);
    ASSERT_LE(static_cast<double>(low), value);
    ASSERT_GE(static_cast<double>(high), value);
    ASSERT_TRUE(!std::isfinite(low) || high <= std::nextafter(low, INFINITY)) << value;
  }
}

TEST(RoundingTest, ExactValuesStay) {
  for (double value : {0.0, 1.0, -0.5, 16777216.0}) {
    EXPECT_EQ(static_cast<double>(RoundDown<float>(value)), value);
    EXPECT_EQ(static_cast<double>(RoundUp<float>(value)), value);
  }
  EXPECT_EQ(RoundDown<double>(0.1), 0.1);
  EXPECT_EQ(RoundUp<double>(0.1), 0.1);
}

TEST(RoundingTest, TooLargeForFloatStaysOutward) {
  EXPECT_EQ(RoundUp<float>(1e300), std::numeric_limits<float>::infinity());
  EXPECT_LE(static_cast<double>(RoundDown<float>(1e300)), 1e300);
  EXPECT_EQ(RoundDown<float>(-1e300), -std::numeric_limits<float>::infinity());
}

TEST(RoundingTest, NotANumberStays) {
  EXPECT_TRUE(std::isnan(RoundDown<float>(std::nan(""))));
  EXPECT_TRUE(std::isnan(RoundUp<float>(std::nan(""))));
}

TEST(RoundingTest, GammaGrowsAndGivesUp) {
  EXPECT_GE(Gamma<double>(1), UnitRoundoff<double>());
  EXPECT_GE(Gamma<float>(100), 100 * UnitRoundoff<float>());
  EXPECT_LT(Gamma<float>(100), 110 * UnitRoundoff<float>());
  EXPECT_TRUE(std::isinf(Gamma<float>(1e8)));
  EXPECT_TRUE(std::isinf(Gamma<double>(std::nan(""))));  // no allowance is known
}

}  // namespace
}  // namespace espalier::bounds
