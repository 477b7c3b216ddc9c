#include "verifier/check/box_point.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace espalier::check {
namespace {

using Point = std::vector<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(DistanceToBoxTest, MaximumNorm) {
  const api::Box box{{0, 0}, {1, 1}};
  EXPECT_EQ(DistanceToBox(box, Point{0.5, 1}, kInfinity), 0);
  EXPECT_EQ(DistanceToBox(box, Point{-2, 1.5}, kInfinity), 2);
  EXPECT_EQ(DistanceToBox(box, Point{0.5, std::nan("")}, kInfinity), kInfinity);
}

TEST(ClampToBoxTest, MovesOntoTheBox) {
  EXPECT_EQ(ClampToBox({{0, 0, 0}, {1, 1, 1}}, Point{-3, 0.25, 7}), (Point{0, 0.25, 1}));
  EXPECT_EQ(ClampToBox({{0}, {1}}, Point{kInfinity}), Point{1});
  EXPECT_EQ(ClampToBox({{0}, {1}}, Point{std::nan("")}), std::nullopt);
}

TEST(ClampToBoxTest, OpenBoundsAreLeftByOneDouble) {
  EXPECT_EQ(ClampToBox({{0, 0}, {1, 1}, {1, 2}}, Point{-3, 3}),
            (Point{std::nextafter(0, 1), std::nextafter(1, 0)}));
  EXPECT_EQ(ClampToBox({{1}, {std::nextafter(1, 2)}, {3}}, Point{1}), std::nullopt);
}

TEST(RoundInsideBoxTest, Float32ValuesStay) {
  const ModelPoint point = RoundInsideBox({{0, 0}, {1, 1}}, {0.5, 1});
  EXPECT_EQ(point.reported, (Point{0.5, 1}));
  EXPECT_EQ(point.float32, point.reported);
  EXPECT_FALSE(point.rounded);
}

TEST(RoundInsideBoxTest, TheNearestFloat32OutsideGivesWayToOneInside) {
  // 0.1 as float32 is above 0.1, 0.7 as float32 is below 0.7.
  ASSERT_GT(static_cast<double>(0.1f), 0.1);
  ASSERT_LT(static_cast<double>(0.7f), 0.7);
  const ModelPoint point = RoundInsideBox({{0, 0.7}, {0.1, 1}}, {0.1, 0.7});
  EXPECT_EQ(point.reported[0], static_cast<double>(std::nextafter(0.1f, 0.0f)));
  EXPECT_EQ(point.reported[1], static_cast<double>(std::nextafter(0.7f, 1.0f)));
  EXPECT_EQ(point.float32, point.reported);
  EXPECT_FALSE(point.rounded);
}

TEST(RoundInsideBoxTest, AnIntervalWithoutFloat32IsMarked) {
  const ModelPoint point = RoundInsideBox({{0.1, 0}, {0.1, 1}}, {0.1, 0.5});
  EXPECT_TRUE(point.rounded);
  EXPECT_EQ(point.reported, (Point{0.1, 0.5}));
  EXPECT_EQ(point.float32, (Point{static_cast<double>(0.1f), 0.5}));
}

TEST(RoundInsideBoxTest, RandomBoxes) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  int rounded = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double centre = uniform(random) * std::pow(10, uniform(random) * 30);
    const double radius = std::abs(centre) * std::pow(10, -8 + 2 * uniform(random));
    const api::Box box{{centre - radius}, {centre + radius}};
    const Point start = {centre + radius * uniform(random)};
    const ModelPoint point = RoundInsideBox(box, start);
    ASSERT_GE(point.reported[0], box.lower[0]);
    ASSERT_LE(point.reported[0], box.upper[0]);
    ASSERT_EQ(static_cast<double>(static_cast<float>(point.reported[0])), point.float32[0]);
    ASSERT_EQ(point.rounded, point.reported[0] != point.float32[0]);
    if (!point.rounded) continue;
    ++rounded;
    const float nearest = static_cast<float>(start[0]);
    for (const float other :
         {std::nextafter(nearest, -INFINITY), nearest, std::nextafter(nearest, INFINITY)}) {
      ASSERT_FALSE(other >= box.lower[0] && other <= box.upper[0]) << "a float32 inside was missed";
    }
  }
  EXPECT_GT(rounded, 1000);
}

}  // namespace
}  // namespace espalier::check
