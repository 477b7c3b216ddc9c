#include "verifier/search/clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/property/random_network.h"

namespace espalier::search {
namespace {

AffineBounds Rows(int64_t inputs, std::vector<double> lambda, std::vector<double> constant) {
  return {static_cast<int64_t>(constant.size()), inputs, std::move(lambda), std::move(constant)};
}

TEST(ClipTest, CutsWhereTheRowTurnsPositive) {
  std::vector<double> lower = {-1, -1}, upper = {1, 1};
  // x + 3y <= -2 in the box: y <= -1/3, and x <= 1 with y = -1.
  ASSERT_TRUE(ClipBox(Rows(2, {1, 3}, {2}), lower, upper));
  EXPECT_NEAR(upper[1], -1.0 / 3, 1e-12);
  EXPECT_GE(upper[1], -1.0 / 3);
  EXPECT_EQ(upper[0], 1);
  EXPECT_EQ(lower, (std::vector<double>{-1, -1}));
}

TEST(ClipTest, OneRowsCutHelpsTheNextOne) {
  std::vector<double> lower = {0, 0}, upper = {1, 1};
  // x <= 0.25, then y <= x.
  ASSERT_TRUE(ClipBox(Rows(2, {-1, 1, 4, 0}, {0, -1}), lower, upper));
  EXPECT_NEAR(upper[0], 0.25, 1e-12);
  EXPECT_NEAR(upper[1], 0.25, 1e-12);
}

TEST(ClipTest, APositiveRowLeavesNothing) {
  std::vector<double> lower = {0}, upper = {1};
  EXPECT_FALSE(ClipBox(Rows(1, {1}, {0.5}), lower, upper));
}

TEST(ClipTest, NothingIsCutByRowsThatAreNoNumbers) {
  std::vector<double> lower = {0, 0}, upper = {1, 1};
  EXPECT_TRUE(ClipBox(Rows(2, {NAN, 1, 1, 1, INFINITY, 0}, {1, NAN, 1}), lower, upper));
  EXPECT_EQ(lower, (std::vector<double>{0, 0}));
  EXPECT_EQ(upper, (std::vector<double>{1, 1}));
}

// No point of the box in which all rows are <= 0 is ever cut off.
TEST(ClipTest, KeepsEveryUnsafePoint) {
  int kept = 0, cut = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    testing::Random random(seed);
    const int64_t inputs = random.Int(1, 5), count = random.Int(1, 4);
    const double scale = std::pow(10.0, random.Uniform(-9, 3));
    std::vector<double> lower, upper;
    for (int64_t j = 0; j < inputs; ++j) {
      lower.push_back(random.Uniform(-1, 1));
      upper.push_back(lower.back() + scale * random.Uniform(0, 1));
    }
    // Each row is zero at a point near the box.
    AffineBounds rows = Rows(inputs, random.Normals(inputs * count, 1.0), {});
    rows.rows = count;
    for (int64_t r = 0; r < count; ++r) {
      double constant = 0;
      for (size_t j = 0; j < lower.size(); ++j)
        constant -= rows.lambda[static_cast<size_t>(r * inputs) + j] *
                    (lower[j] + random.Uniform(0, 1) * (upper[j] - lower[j]));
      rows.constant.push_back(constant);
    }
    std::vector<double> clipped_lower = lower, clipped_upper = upper;
    const bool left = ClipBox(rows, clipped_lower, clipped_upper);
    for (int k = 0; k < 200; ++k) {
      std::vector<double> x;
      for (size_t j = 0; j < lower.size(); ++j)
        x.push_back(std::clamp(lower[j] + random.Uniform(0, 1) * (upper[j] - lower[j]), lower[j], upper[j]));
      bool unsafe = true, inside = left;
      for (size_t r = 0; r < static_cast<size_t>(count); ++r) {
        long double value = rows.constant[r];
        for (size_t j = 0; j < x.size(); ++j)
          value += static_cast<long double>(rows.lambda[r * x.size() + j]) * x[j];
        unsafe = unsafe && value <= 0;
      }
      for (size_t j = 0; j < x.size(); ++j)
        inside = inside && clipped_lower[j] <= x[j] && x[j] <= clipped_upper[j];
      ASSERT_TRUE(inside || !unsafe) << "seed " << seed;
      ++(inside ? kept : cut);
    }
  }
  EXPECT_GT(kept, 1000);
  EXPECT_GT(cut, 1000);
}

}  // namespace
}  // namespace espalier::search
