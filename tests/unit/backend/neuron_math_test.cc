// The per-neuron lines: sound in exact arithmetic whatever the bounds' magnitudes are.
#include "verifier/backend/neuron_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/property/random_network.h"

namespace espalier::backend {
namespace {

using Exact = long double;

template <class T>
struct Case {
  T left, right, l, u;
};

// How far a line is on the wrong side of the hinge at its worst point; <= 0: sound. Checked at l, 0 and u,
// where the gap between a line and a hinge is extreme.
template <class T>
Exact Violation(const Case<T>& c, Exact slope, Exact intercept, bool above) {
  Exact worst = -std::numeric_limits<Exact>::infinity();
  for (Exact x : {static_cast<Exact>(c.l), Exact{0}, static_cast<Exact>(c.u)}) {
    if (x < c.l || x > c.u) continue;
    const Exact f = (x < 0 ? static_cast<Exact>(c.left) : static_cast<Exact>(c.right)) * x;
    const Exact line = slope * x + intercept;
    worst = std::max(worst, above ? f - line : line - f);
  }
  return worst;
}

template <class T>
void ExpectSound(const Case<T>& c) {
  SCOPED_TRACE(absl::StrCat("left ", c.left, " right ", c.right, " l ", c.l, " u ", c.u));
  const HingeLines<T> h = LinesOfHinge(c.left, c.right, c.l, c.u);
  const bool convex = c.left < c.right;
  ASSERT_LE(Violation<T>(c, h.chord_slope, h.chord_intercept, convex), 0) << "chord";
  for (T slope : {h.free_lo, h.free_hi, h.free_start}) {
    ASSERT_LE(Violation<T>(c, slope, 0, !convex), 0) << "free line of slope " << slope;
  }
  ASSERT_LE(h.free_lo, h.free_start);
  ASSERT_LE(h.free_start, h.free_hi);
}

template <class T>
class NeuronMathTest : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(NeuronMathTest, Types);

TYPED_TEST(NeuronMathTest, ReluLinesAreTheKnownOnes) {
  using T = TypeParam;
  const HingeLines<T> h = LinesOfHinge<T>(0, 1, -1, 3);
  EXPECT_EQ(h.chord_slope, T(0.75));
  EXPECT_NEAR(static_cast<double>(h.chord_intercept), 0.75, 1e-5);
  EXPECT_GE(h.chord_intercept, T(0.75));
  EXPECT_EQ(h.free_lo, T(0));
  EXPECT_EQ(h.free_hi, T(1));
  EXPECT_EQ(h.free_start, T(1));  // the wider side is the right one
  EXPECT_EQ(LinesOfHinge<T>(0, 1, -3, 1).free_start, T(0));
}

TYPED_TEST(NeuronMathTest, ConcaveHingesHaveTheChordBelow) {
  using T = TypeParam;
  const HingeLines<T> h = LinesOfHinge<T>(1, 0, -2, 2);  // min(x, 0)
  EXPECT_EQ(h.chord_slope, T(0.5));
  EXPECT_NEAR(static_cast<double>(h.chord_intercept), -1.0, 1e-5);
  EXPECT_LE(h.chord_intercept, T(-1));
}

TYPED_TEST(NeuronMathTest, StableAndGraftedNeuronsHaveOneLine) {
  using T = TypeParam;
  for (const Case<T>& c : {Case<T>{0, 1, 1, 2}, Case<T>{0, 1, -2, -1}, Case<T>{T(0.4), T(0.4), -1, 1},
                           Case<T>{0, 1, 0, 2}, Case<T>{0, 1, -2, 0}, Case<T>{0, 1, 0, 0}}) {
    const HingeLines<T> h = LinesOfHinge(c.left, c.right, c.l, c.u);
    const T slope = c.l >= T(0) ? c.right : c.left;
    EXPECT_EQ(h.chord_slope, slope);
    EXPECT_EQ(h.chord_intercept, T(0));
    EXPECT_EQ(h.free_lo, slope);
    EXPECT_EQ(h.free_hi, slope);
    EXPECT_EQ(h.free_start, slope);
    ExpectSound(c);
  }
}

TYPED_TEST(NeuronMathTest, EveryHingeIsEnclosedAtEveryMagnitude) {
  using T = TypeParam;
  const double decades =
      std::is_same_v<T, float> ? 17 : 140;  // products stay clear of underflow and overflow
  testing::Random random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto side = [&] { return static_cast<T>(std::pow(10.0, random.Uniform(-decades, decades))); };
    Case<T> c{static_cast<T>(random.Normal()), static_cast<T>(random.Normal()), -side(), side()};
    const int64_t kind = random.Int(0, 4);
    if (kind == 0) c.left = 0, c.right = 1;
    if (kind == 1) c.left = -1, c.right = 1;
    if (kind == 2) c.right = std::nextafter(c.left, T(10));  // hardly bent
    if (kind == 3) c.u = -c.l * static_cast<T>(random.Uniform(0.999999, 1.000001));
    ASSERT_NO_FATAL_FAILURE(ExpectSound(c));
  }
}

TYPED_TEST(NeuronMathTest, TheSmallestNumbersLoseAtMostOneOfThem) {
  using T = TypeParam;
  const T tiny = std::numeric_limits<T>::denorm_min();
  for (int i = 1; i < 60; ++i) {
    for (int k = 1; k < 60; ++k) {
      for (T left : {T(0), T(-1), T(0.1), T(1)}) {
        const Case<T> c{left, left < T(0.5) ? T(1) : T(0), -tiny * static_cast<T>(i),
                        tiny * static_cast<T>(k)};
        const HingeLines<T> h = LinesOfHinge(c.left, c.right, c.l, c.u);
        // The backward pass charges an underflow term of more than this.
        ASSERT_LE(Violation<T>(c, h.chord_slope, h.chord_intercept, c.left < c.right),
                  2 * static_cast<Exact>(tiny));
      }
    }
  }
}

TYPED_TEST(NeuronMathTest, UnknownBoundsNeverGiveAFiniteChord) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  const T largest = std::numeric_limits<T>::max();
  for (T left : {T(0), T(-1), T(0.1), T(1)}) {
    const T right = left == T(1) ? T(0) : T(1);
    for (const Case<T>& c :
         {Case<T>{left, right, nan, nan}, Case<T>{left, right, nan, 1}, Case<T>{left, right, -1, nan},
          Case<T>{left, right, -infinity, infinity}, Case<T>{left, right, -1, infinity},
          Case<T>{left, right, -infinity, 1}, Case<T>{left, right, -largest, largest}}) {
      SCOPED_TRACE(absl::StrCat("left ", c.left, " right ", c.right, " l ", c.l, " u ", c.u));
      const HingeLines<T> h = LinesOfHinge(c.left, c.right, c.l, c.u);
      const bool finite = std::isfinite(h.chord_slope) && std::isfinite(h.chord_intercept);
      if (!finite) continue;
      ASSERT_TRUE(std::isfinite(c.l) && std::isfinite(c.u)) << "a line out of nothing";
      ExpectSound(c);
    }
  }
}

}  // namespace
}  // namespace espalier::backend
