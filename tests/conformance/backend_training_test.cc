// Row and element primitives of training, the loss, the optimiser and the attack against plain double loops.
#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"
#include "verifier/backend/training.h"

namespace espalier::backend {
namespace {

const std::vector<RowShape>& TrainingShapes() {
  static const auto* shapes = new std::vector<RowShape>{
      {1, 1}, {1, 37}, {3, 17}, {128, 10}, {257, 41}, {9001, 3}, {5, 20011}, {128, 1025}, {40000, 33}};
  return *shapes;
}

class BackendTrainingTest : public BackendConformanceTest {
 protected:
  Training& training() { return backend().training(); }
  // check(rows, n, random) for every shape.
  void ForShapes(const std::function<void(int64_t, int64_t, testing::Random&)>& check) {
    for (const RowShape& s : TrainingShapes()) {
      SCOPED_TRACE(absl::StrCat(s.rows, " rows of ", s.n));
      testing::Random random(static_cast<uint64_t>(s.rows + s.n));
      check(s.rows, s.n, random);
      if (HasFailure()) return;
    }
  }
};

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected, double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], relative * (1 + std::fabs(expected[i])))
        << "element " << i;
  }
}

TEST_P(BackendTrainingTest, AddRowsAddsTheVectorToEveryRow) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    const auto vec = Values<float>(random, n), before = Values<float>(random, rows * n);
    Guarded<float> device_vec(backend(), vec), y(backend(), before);
    training().AddRows(rows, n, device_vec.data(), y.data());
    std::vector<double> expected = Doubles(before);
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] += static_cast<double>(vec[i % static_cast<size_t>(n)]);
    ExpectNear(y.Take(), expected, 1e-6);
  });
}

TEST_P(BackendTrainingTest, ColumnSumsAreAsExactAsTheirTerms) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    const auto g = Values<float>(random, rows * n);
    Guarded<float> device_g(backend(), g), out(backend(), Values<float>(random, n));
    training().ColumnSums(rows, n, device_g.data(), out.data());
    std::vector<double> expected(static_cast<size_t>(n), 0.0);
    for (size_t i = 0; i < g.size(); ++i) expected[i % static_cast<size_t>(n)] += static_cast<double>(g[i]);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(out.Take()[i]), expected[i],
                  4e-7 * std::sqrt(static_cast<double>(rows)) * 20);
      if (n > 2000 && i > 50) break;
    }
  });
}

struct Hinges {
  std::vector<float> left, right, intercept;
};

Hinges RandomHinges(testing::Random& random, int64_t n) {
  Hinges h{Values<float>(random, n), Values<float>(random, n), Values<float>(random, n)};
  for (size_t i = 0; i < h.left.size(); ++i) {
    if (i % 3 == 0) h.left[i] = 0, h.right[i] = 1, h.intercept[i] = 0;
    if (i % 3 == 1) h.right[i] = h.left[i];
  }
  return h;
}

// Inputs with exact zeros of both signs among them.
std::vector<float> WithZeros(testing::Random& random, int64_t count) {
  std::vector<float> z = Values<float>(random, count);
  for (size_t i = 0; i < z.size(); i += 7) z[i] = i % 2 == 0 ? 0.0f : -0.0f;
  return z;
}

TEST_P(BackendTrainingTest, HingesBendAtZeroAndPassTheRightSlopeThere) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    const Hinges h = RandomHinges(random, n);
    const std::vector<float> z = WithZeros(random, rows * n), g = Values<float>(random, rows * n);
    Guarded<float> left(backend(), h.left), right(backend(), h.right), intercept(backend(), h.intercept),
        device_z(backend(), z), y(backend(), g), device_g(backend(), g);
    const HingeArrays<float> hinge{left.data(), right.data(), intercept.data()};
    training().HingeForward(rows, n, hinge, device_z.data(), y.data());
    training().HingeBackward(rows, n, {left.data(), right.data(), nullptr}, device_z.data(), device_g.data());
    std::vector<double> value(z.size()), gradient(z.size());
    for (size_t i = 0; i < z.size(); ++i) {
      const size_t c = i % static_cast<size_t>(n);
      const auto slope = static_cast<double>(z[i] < 0.0f ? h.left[c] : h.right[c]);
      value[i] = static_cast<double>(h.intercept[c]) + slope * static_cast<double>(z[i]);
      gradient[i] = static_cast<double>(g[i]) * slope;
    }
    ExpectNear(y.Take(), value, 1e-6);
    ExpectNear(device_g.Take(), gradient, 1e-6);
    EXPECT_EQ(device_z.Take(), z);
  });
}

// Image of [lower, upper] under the hinge without its intercept, in double, and the ends' own arguments.
struct Image {
  double low, high, low_at, high_at;
};

Image ImageOf(double left, double right, double lower, double upper) {
  const auto f = [&](double z) { return (z < 0 ? left : right) * z; };
  Image image{f(lower), f(lower), lower, lower};
  for (const double z : {upper, lower < 0 && upper > 0 ? 0.0 : upper}) {
    if (f(z) < image.low) image.low = f(z), image.low_at = z;
    if (f(z) > image.high) image.high = f(z), image.high_at = z;
  }
  return image;
}

TEST_P(BackendTrainingTest, BoxesThroughHingesAreTheSmallestOnes) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    const Hinges h = RandomHinges(random, n);
    const std::vector<float> centre = Values<float>(random, rows * n), g = Values<float>(random, rows * n);
    std::vector<float> radius = Values<float>(random, rows * n), gr = Values<float>(random, rows * n);
    for (size_t i = 0; i < radius.size(); ++i) radius[i] = i % 5 == 0 ? 0.0f : std::fabs(radius[i]);
    Guarded<float> left(backend(), h.left), right(backend(), h.right), intercept(backend(), h.intercept),
        device_centre(backend(), centre), device_radius(backend(), radius), centre_out(backend(), g),
        radius_out(backend(), g), device_g(backend(), g), device_gr(backend(), gr);
    const BoxRows from{device_centre.data(), device_radius.data()};
    training().BoxHingeForward(rows, n, {left.data(), right.data(), intercept.data()}, from,
                               {centre_out.data(), radius_out.data()});
    training().BoxHingeBackward(rows, n, {left.data(), right.data(), nullptr}, from,
                                {device_g.data(), device_gr.data()});
    std::vector<double> c(centre.size()), r(c), gc(c), gradient(c);
    for (size_t i = 0; i < c.size(); ++i) {
      const size_t at = i % static_cast<size_t>(n);
      const auto l = static_cast<double>(h.left[at]), k = static_cast<double>(h.right[at]);
      const auto lower = static_cast<double>(centre[i] - radius[i]);
      const auto upper = static_cast<double>(centre[i] + radius[i]);
      const Image image = ImageOf(l, k, lower, upper);
      c[i] = static_cast<double>(h.intercept[at]) + (image.low + image.high) / 2;
      r[i] = (image.high - image.low) / 2;
      // An end moves with the end of the interval that it comes from; half of it is in each of c and r.
      const auto at_low = static_cast<double>(g[i] - gr[i]) / 2,
                 at_high = static_cast<double>(g[i] + gr[i]) / 2;
      const auto slope = [&](double z) { return z < 0 ? l : k; };
      const auto part = [&](double z, double end) { return z == end ? slope(z) : 0.0; };
      if (lower == upper) {
        gc[i] = static_cast<double>(g[i]) * slope(lower);
        continue;  // which end is the lower one is open: the radius' gradient has the slope's sign or not
      }
      const double by_lower = at_low * part(image.low_at, lower) + at_high * part(image.high_at, lower);
      const double by_upper = at_low * part(image.low_at, upper) + at_high * part(image.high_at, upper);
      gc[i] = by_upper + by_lower;
      gradient[i] = by_upper - by_lower;
    }
    ExpectNear(centre_out.Take(), c, 1e-6);
    ExpectNear(radius_out.Take(), r, 1e-6);
    ExpectNear(device_g.Take(), gc, 2e-6);
    std::vector<float> got = device_gr.Take();
    for (size_t i = 0; i < got.size(); ++i) {
      if (radius[i] == 0.0f) got[i] = 0;
    }
    ExpectNear(got, gradient, 2e-6);
    EXPECT_EQ(device_centre.Take(), centre);
    EXPECT_EQ(device_radius.Take(), radius);
  });
}

TEST_P(BackendTrainingTest, WorstLogitsAndTheirGradientAndAbsoluteValues) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    const auto centre = Values<float>(random, rows * n), radius = Values<float>(random, rows * n);
    std::vector<float> s = WithZeros(random, rows * n);
    std::vector<int32_t> label(static_cast<size_t>(rows));
    for (size_t r = 0; r < label.size(); ++r) label[r] = static_cast<int32_t>(r % static_cast<size_t>(n));
    Guarded<float> c(backend(), centre), r(backend(), radius), worst(backend(), centre),
        alone(backend(), centre), device_s(backend(), s), magnitude(backend(), centre),
        sum(backend(), centre);
    Guarded<int32_t> device_label(backend(), label);
    training().WorstLogits(rows, n, device_label.data(), {c.data(), r.data()}, worst.data());
    training().WorstLogits(rows, n, device_label.data(), {nullptr, r.data()}, alone.data());
    training().Absolute(rows * n, r.data(), magnitude.data());
    training().AddSigned(rows * n, device_s.data(), r.data(), sum.data());
    std::vector<double> expected(centre.size()), signed_radius(expected), absolute(expected), added(expected);
    for (size_t i = 0; i < centre.size(); ++i) {
      const size_t row = i / static_cast<size_t>(n), column = i % static_cast<size_t>(n);
      const auto own = static_cast<double>(radius[i]), base = static_cast<double>(centre[i]);
      signed_radius[i] = static_cast<int32_t>(column) == label[row] ? -own : own;
      expected[i] = base + signed_radius[i];
      absolute[i] = std::fabs(own);
      added[i] = base + (s[i] > 0.0f ? own : s[i] < 0.0f ? -own : 0.0);
    }
    ExpectNear(worst.Take(), expected, 1e-6);
    ExpectNear(alone.Take(), signed_radius, 1e-6);
    ExpectNear(magnitude.Take(), absolute, 1e-6);
    ExpectNear(sum.Take(), added, 1e-6);
  });
}

TEST_P(BackendTrainingTest, LineGradientsAreZeroOffTheMask) {
  ForShapes([&](int64_t rows, int64_t n, testing::Random& random) {
    std::vector<float> z = Values<float>(random, rows * n), gy = Values<float>(random, rows * n);
    std::vector<float> mask(static_cast<size_t>(n));
    for (float& m : mask) m = random.Chance(0.5) ? 1.0f : 0.0f;
    const auto width = static_cast<size_t>(n);
    std::vector<double> slope(width, 0.0), intercept(width, 0.0), scale(width, 1.0);
    for (size_t i = 0; i < z.size(); ++i) {
      const double product = static_cast<double>(gy[i]) * static_cast<double>(z[i]);
      if (mask[i % width] == 0.0f) {
        gy[i] = std::numeric_limits<float>::quiet_NaN();  // must not reach the result
        continue;
      }
      slope[i % width] += product;
      intercept[i % width] += static_cast<double>(gy[i]);
      scale[i % width] += std::fabs(product) + std::fabs(static_cast<double>(gy[i]));
    }
    Guarded<float> device_z(backend(), z), device_gy(backend(), gy), device_mask(backend(), mask),
        out_slope(backend(), Values<float>(random, n)), out_intercept(backend(), Values<float>(random, n));
    training().LineGradient(rows, n, device_z.data(), device_gy.data(),
                            {device_mask.data(), out_slope.data(), out_intercept.data()});
    const std::vector<float> got_slope = out_slope.Take(), got_intercept = out_intercept.Take();
    for (size_t i = 0; i < width; ++i) {
      ASSERT_NEAR(static_cast<double>(got_slope[i]), slope[i], 1e-6 * scale[i]) << i;
      ASSERT_NEAR(static_cast<double>(got_intercept[i]), intercept[i], 1e-6 * scale[i]) << i;
    }
  });
}

std::vector<double> Softmax(const std::vector<double>& logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  double sum = 0;
  for (double logit : logits) sum += std::exp(logit - top);
  for (double logit : logits) p.push_back(std::exp(logit - top) / sum);
  return p;
}

TEST_P(BackendTrainingTest, CrossEntropyAndItsGradient) {
  for (const RowShape& s : {RowShape{1, 2}, RowShape{3, 10}, RowShape{128, 10}, RowShape{257, 43}}) {
    for (float distil : {0.0f, 0.3f, 1.0f}) {
      SCOPED_TRACE(absl::StrCat(s.rows, " rows of ", s.n, ", distil ", distil));
      testing::Random random(static_cast<uint64_t>(s.rows));
      const auto logits = Values<float>(random, s.rows * s.n, 20.0),
                 teacher = Values<float>(random, s.rows * s.n, 3.0);
      std::vector<int32_t> label;
      for (int64_t r = 0; r < s.rows; ++r) label.push_back(static_cast<int32_t>(random.Int(0, s.n - 1)));
      Guarded<float> device_logits(backend(), logits), device_teacher(backend(), teacher),
          gradient(backend(), teacher), loss(backend(), Values<float>(random, s.rows)),
          correct(backend(), Values<float>(random, s.rows));
      Guarded<int32_t> device_label(backend(), label);
      training().CrossEntropy(s.rows, s.n, device_logits.data(),
                              {device_label.data(), distil > 0 ? device_teacher.data() : nullptr, distil},
                              {gradient.data(), loss.data(), correct.data()});
      std::vector<double> wanted_gradient, wanted_loss, wanted_correct;
      for (int64_t r = 0; r < s.rows; ++r) {
        const auto at = [&](const std::vector<float>& v) {
          return std::vector<double>(v.begin() + r * s.n, v.begin() + (r + 1) * s.n);
        };
        const std::vector<double> row = at(logits), p = Softmax(row), q = Softmax(at(teacher));
        const auto own = static_cast<size_t>(label[static_cast<size_t>(r)]);
        const double top = *std::max_element(row.begin(), row.end());
        double sum = 0;
        for (double logit : row) sum += std::exp(logit - top);
        wanted_loss.push_back(top + std::log(sum) - row[own]);
        wanted_correct.push_back(std::count(row.begin(), row.end(), top) == 1 && row[own] == top ? 1.0 : 0.0);
        for (size_t c = 0; c < row.size(); ++c) {
          const auto d = static_cast<double>(distil);
          wanted_gradient.push_back(p[c] - ((1 - d) * (c == own ? 1.0 : 0.0) + d * q[c]));
        }
      }
      ExpectNear(gradient.Take(), wanted_gradient, 1e-6);
      ExpectNear(loss.Take(), wanted_loss, 1e-6);
      ExpectNear(correct.Take(), wanted_correct, 0);
    }
  }
}

TEST_P(BackendTrainingTest, ResultsThatAreNotWantedMayBeNull) {
  Guarded<float> logits(backend(), {1, 2, 3, 1}), loss(backend(), {0, 0});
  Guarded<int32_t> label(backend(), {1, 0});
  training().CrossEntropy(2, 2, logits.data(), {.label = label.data()}, {});
  training().CrossEntropy(2, 2, logits.data(), {.label = label.data()}, {.loss = loss.data()});
  ExpectNear(loss.Take(), {std::log(1 + std::exp(-1.0)), std::log(1 + std::exp(-2.0))}, 1e-6);
}

TEST_P(BackendTrainingTest, EqualLogitsCountAsWrong) {
  Guarded<float> logits(backend(), {2, 2, 1, 3, 1, 3, 0, 0, 5}), correct(backend(), {7, 7, 7});
  Guarded<int32_t> label(backend(), {0, 2, 2});
  training().CrossEntropy(3, 3, logits.data(), {.label = label.data()}, {.correct = correct.data()});
  EXPECT_EQ(correct.Take(), (std::vector<float>{0, 0, 1}));
}

TEST_P(BackendTrainingTest, NotANumberReachesTheLossAndNothingElse) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t place = 0; place < 3; ++place) {
    std::vector<float> z = {1, 2, 3, 4, 5, 7};
    z[place] = nan;
    Guarded<float> device_z(backend(), z), y(backend(), z), ones(backend(), {1, 1, 1}),
        zeros(backend(), {0, 0, 0}), loss(backend(), {0, 0}), correct(backend(), {0, 0}),
        gradient(backend(), z);
    Guarded<int32_t> label(backend(), {2, 2});
    training().HingeForward(2, 3, {zeros.data(), ones.data(), zeros.data()}, device_z.data(), y.data());
    training().AddRows(2, 3, ones.data(), y.data());
    training().CrossEntropy(2, 3, y.data(), {.label = label.data()},
                            {gradient.data(), loss.data(), correct.data()});
    EXPECT_TRUE(std::isnan(loss.Take()[0])) << "at " << place;
    EXPECT_TRUE(std::isfinite(loss.Take()[1]));
    EXPECT_EQ(correct.Take()[1], 1.0f);
    if (place == 2) {
      EXPECT_EQ(correct.Take()[0], 0.0f);
    }
    EXPECT_TRUE(std::isnan(gradient.Take()[0]));
  }
}

TEST_P(BackendTrainingTest, DescentHasMomentumAndDecay) {
  for (int64_t count : {1, 3, 128, 257, 100003}) {
    testing::Random random(static_cast<uint64_t>(count));
    std::vector<double> velocity = Doubles(Values<float>(random, count)),
                        weight = Doubles(Values<float>(random, count));
    Guarded<float> v(backend(), std::vector<float>(velocity.begin(), velocity.end())),
        w(backend(), std::vector<float>(weight.begin(), weight.end()));
    for (int step = 0; step < 3; ++step) {
      const auto gradient = Values<float>(random, count);
      Guarded<float> g(backend(), gradient);
      training().Descend(count, {.rate = 0.05f, .momentum = 0.8f, .decay = 0.01f}, g.data(), v.data(),
                         w.data());
      for (size_t i = 0; i < weight.size(); ++i) {
        velocity[i] = 0.8 * velocity[i] + (static_cast<double>(gradient[i]) + 0.01 * weight[i]);
        weight[i] -= 0.05 * velocity[i];
      }
      EXPECT_EQ(g.Take(), gradient);
    }
    ExpectNear(w.Take(), weight, 2e-6);
    ExpectNear(v.Take(), velocity, 2e-6);
  }
}

TEST_P(BackendTrainingTest, BoxesAreCutToTheRange) {
  for (int64_t count : {1, 37, 100003}) {
    testing::Random random(static_cast<uint64_t>(count));
    std::vector<float> x = Values<float>(random, count);
    Guarded<float> device_x(backend(), x), lower(backend(), x), upper(backend(), x);
    training().BoxAround(count, device_x.data(), {.epsilon = 0.25f, .low = -0.5f, .high = 0.75f},
                         lower.data(), upper.data());
    std::vector<double> low, high;
    for (float v : x) {
      low.push_back(std::clamp(static_cast<double>(v) - 0.25, -0.5, 0.75));
      high.push_back(std::clamp(static_cast<double>(v) + 0.25, -0.5, 0.75));
    }
    ExpectNear(lower.Take(), low, 1e-6);
    ExpectNear(upper.Take(), high, 1e-6);
  }
}

TEST_P(BackendTrainingTest, UniformNumbersAreThoseOfTheKeyAndStayInTheBox) {
  for (int64_t count : {1, 37, 100003}) {
    testing::Random random(static_cast<uint64_t>(count));
    const auto lower = Values<float>(random, count);
    std::vector<float> upper = lower;
    for (size_t i = 0; i < upper.size(); ++i)
      upper[i] += i % 5 == 0 ? 0.0f : static_cast<float>(random.Uniform(0, 1));
    Guarded<float> low(backend(), lower), high(backend(), upper), x(backend(), lower);
    const RandomKey key{12345, 7};
    training().UniformInBox(count, key, low.data(), high.data(), x.data());
    const std::vector<float> got = x.Take();
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_GE(got[i], lower[i]);
      ASSERT_LE(got[i], upper[i]);
      const double u = static_cast<double>(CounterUniform(key, i));
      const double expected = static_cast<double>(lower[i]) + u * static_cast<double>(upper[i] - lower[i]);
      ASSERT_NEAR(static_cast<double>(got[i]), expected, 1e-6) << i;
    }
  }
}

TEST_P(BackendTrainingTest, SignStepsEndAtTheBox) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int64_t count : {1, 37, 100003}) {
    testing::Random random(static_cast<uint64_t>(count));
    const auto x = Values<float>(random, count);
    std::vector<float> g = WithZeros(random, count), lower = x, upper = x;
    for (size_t i = 0; i < x.size(); ++i)
      lower[i] -= 0.1f * static_cast<float>(i % 4), upper[i] += 0.1f * static_cast<float>(i % 3);
    if (count > 5) g[5] = nan;
    Guarded<float> dg(backend(), g), low(backend(), lower), high(backend(), upper), dx(backend(), x);
    training().SignStep(count, 0.15f, dg.data(), low.data(), high.data(), dx.data());
    std::vector<double> expected;
    for (size_t i = 0; i < x.size(); ++i) {
      const double sign = g[i] > 0 ? 1.0 : g[i] < 0 ? -1.0 : 0.0;
      expected.push_back(std::clamp(static_cast<double>(x[i]) + 0.15 * sign, static_cast<double>(lower[i]),
                                    static_cast<double>(upper[i])));
    }
    ExpectNear(dx.Take(), expected, 1e-6);
  }
}

TEST_P(BackendTrainingTest, SumsHaveTheSameBitsInEveryRun) {
  const int64_t rows = 40000, n = 33;
  testing::Random random(3);
  Guarded<float> g(backend(), Values<float>(random, rows * n)), z(backend(), Values<float>(random, rows * n)),
      mask(backend(), std::vector<float>(n, 1.0f));
  std::vector<std::vector<float>> seen;
  for (int run = 0; run < 5; ++run) {
    Guarded<float> sums(backend(), std::vector<float>(n)), slope(backend(), std::vector<float>(n)),
        intercept(backend(), std::vector<float>(n));
    training().ColumnSums(rows, n, g.data(), sums.data());
    training().LineGradient(rows, n, z.data(), g.data(), {mask.data(), slope.data(), intercept.data()});
    for (const auto& values : {sums.Take(), slope.Take(), intercept.Take()}) seen.push_back(values);
  }
  for (size_t i = 3; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i % 3]);
}

TEST(CounterUniformTest, NumbersAreUniformAndKeysAreUnrelated) {
  const int count = 200000, cells = 64;
  for (uint64_t stream : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    std::vector<double> histogram(cells, 0.0);
    double pairs = 0, across_streams = 0, across_seeds = 0;
    for (int i = 0; i < count; ++i) {
      const auto u = [&](uint64_t seed, uint64_t which, int at) {
        return static_cast<double>(CounterUniform({seed, which}, static_cast<uint64_t>(at))) - 0.5;
      };
      const double value = u(1, stream, i);
      ASSERT_GE(value, -0.5);
      ASSERT_LT(value, 0.5);
      histogram[static_cast<size_t>((value + 0.5) * cells)] += 1;
      pairs += value * u(1, stream, i + 1);
      across_streams += value * u(1, stream + 1, i);
      across_seeds += value * u(2, stream, i);
    }
    double chi = 0;
    for (double h : histogram) chi += (h - count / 64.0) * (h - count / 64.0) / (count / 64.0);
    EXPECT_LT(chi, 63 + 5 * std::sqrt(2 * 63.0));
    const double deviation = std::sqrt(static_cast<double>(count)) / 12;  // of a sum of independent products
    for (double sum : {pairs, across_streams, across_seeds}) EXPECT_LT(std::fabs(sum), 5 * deviation);
  }
}

TEST(CounterUniformTest, NoTwoKeysShareTheirNumbers) {
  std::set<float> seen;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (uint64_t stream = 0; stream < 10; ++stream) {
      for (uint64_t i = 0; i < 10; ++i) seen.insert(CounterUniform({seed, stream}, i));
    }
  }
  EXPECT_GE(seen.size(), 998u) << "keys that coincide";
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendTrainingTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
