// Relaxation, its application to coefficients, the optimiser step and branching scores, against plain double
// loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {
namespace {

// One activation layer with per-domain lines on the host, and its rows.
template <class T>
struct Layer {
  int64_t neurons = 0, rows = 0, domains = 0;
  std::vector<int32_t> index, domain;
  std::vector<T> left, right, convex, stable, intercept;
  std::vector<T> lower, upper;  // per domain
  std::vector<T> chord_slope, chord_intercept, free_lo, free_hi, free_start;
  std::vector<T> alpha;  // [rows][unstable]
  std::vector<int32_t> split_begin, split_neuron;
  std::vector<T> split_sign, beta;

  size_t unstable() const { return index.size(); }
  size_t Line(size_t row, size_t j) const { return static_cast<size_t>(domain[row]) * unstable() + j; }
};

struct LayerShape {
  int64_t neurons, rows, domains;
  double unstable;  // share
};

constexpr LayerShape kShapes[] = {{1, 1, 1, 1.0},    {7, 1, 1, 0.0},     {5, 3, 2, 0.5},
                                  {64, 300, 5, 0.3}, {1031, 40, 3, 1.0}, {1031, 33, 33, 0.1}};

template <class T>
Layer<T> MakeLayer(const LayerShape& shape, uint64_t seed) {
  testing::Random random(seed);
  Layer<T> layer;
  layer.neurons = shape.neurons, layer.rows = shape.rows, layer.domains = shape.domains;
  for (int64_t i = 0; i < shape.neurons; ++i) {
    const bool unstable = shape.unstable > 0 && (shape.unstable >= 1 || random.Chance(shape.unstable));
    if (unstable) layer.index.push_back(static_cast<int32_t>(i));
    layer.stable.push_back(unstable ? T(1) : static_cast<T>(random.Normal()));
    layer.intercept.push_back(static_cast<T>(random.Normal()));
  }
  for (size_t j = 0; j < layer.unstable(); ++j) {
    const bool convex = random.Chance(0.6);
    const auto a = static_cast<T>(random.Uniform(-0.5, 1)), b = static_cast<T>(random.Uniform(0.05, 1));
    layer.left.push_back(convex ? a : static_cast<T>(a + b));
    layer.right.push_back(convex ? static_cast<T>(a + b) : a);
    layer.convex.push_back(convex ? T(1) : T(0));
  }
  for (size_t k = 0; k < layer.unstable() * static_cast<size_t>(shape.domains); ++k) {
    const bool stable_here = random.Chance(0.2);  // a split of this domain fixed it
    const auto l = static_cast<T>(stable_here ? random.Uniform(0, 1) : -random.Uniform(0.01, 3));
    layer.lower.push_back(l);
    layer.upper.push_back(static_cast<T>(std::max<T>(l, T(0)) + static_cast<T>(random.Uniform(0.01, 3))));
  }
  for (int64_t r = 0; r < shape.rows; ++r) {
    layer.domain.push_back(static_cast<int32_t>(random.Int(0, shape.domains - 1)));
    layer.split_begin.push_back(static_cast<int32_t>(layer.split_neuron.size()));
    for (int64_t k = random.Int(0, 2); k > 0; --k) {
      layer.split_neuron.push_back(static_cast<int32_t>(random.Int(0, shape.neurons - 1)));
      layer.split_sign.push_back(random.Chance(0.5) ? T(1) : T(-1));
      layer.beta.push_back(static_cast<T>(random.Uniform(0, 1)));
    }
  }
  layer.split_begin.push_back(static_cast<int32_t>(layer.split_neuron.size()));
  layer.alpha =
      Values<T>(random, shape.rows * static_cast<int64_t>(layer.unstable()));  // some outside their range
  for (auto* lines :
       {&layer.chord_slope, &layer.chord_intercept, &layer.free_lo, &layer.free_hi, &layer.free_start}) {
    lines->assign(layer.lower.size(), T(0));
  }
  return layer;
}

// The layer's arrays on the device; Relax has been run.
template <class T>
struct DeviceLayer {
  DeviceLayer(Backend& b, Layer<T>& host, bool with_intercept)
      : index(b, host.index),
        domain(b, host.domain),
        begin(b, host.split_begin),
        split_neuron(b, host.split_neuron),
        stable(b, host.stable),
        intercept(b, host.intercept),
        convex(b, host.convex),
        left(b, host.left),
        right(b, host.right),
        lower(b, host.lower),
        upper(b, host.upper),
        chord_slope(b, host.chord_slope),
        chord_intercept(b, host.chord_intercept),
        free_lo(b, host.free_lo),
        free_hi(b, host.free_hi),
        free_start(b, host.free_start),
        sign(b, host.split_sign),
        beta(b, host.beta) {
    const auto unstable = static_cast<int64_t>(host.unstable());
    KernelsOf<T>(b).Relax(
        host.domains, unstable, {left.data(), right.data(), lower.data(), upper.data()},
        {chord_slope.data(), chord_intercept.data(), free_lo.data(), free_hi.data(), free_start.data()});
    host.chord_slope = chord_slope.Take();
    host.chord_intercept = chord_intercept.Take();
    host.free_lo = free_lo.Take();
    host.free_hi = free_hi.Take();
    host.free_start = free_start.Take();
    lines = {host.neurons,
             unstable,
             index.data(),
             stable.data(),
             with_intercept ? intercept.data() : nullptr,
             convex.data(),
             chord_slope.data(),
             chord_intercept.data(),
             free_lo.data(),
             free_hi.data(),
             free_start.data()};
    rows = {host.rows, domain.data()};
  }
  SplitRows<T> splits() const {
    return {begin.data(), split_neuron.data(), sign.data(), beta.data(), nullptr, nullptr};
  }

  Guarded<int32_t> index, domain, begin, split_neuron;
  Guarded<T> stable, intercept, convex, left, right, lower, upper, chord_slope, chord_intercept, free_lo,
      free_hi, free_start, sign, beta;
  LayerLines<T> lines;
  RowSet rows;
};

// The slope that a row uses at an unstable neuron and whether it is the free line's.
template <class T>
std::pair<double, bool> SlopeOf(const Layer<T>& layer, size_t row, size_t j, double coefficient,
                                bool with_alpha) {
  const size_t line = layer.Line(row, j);
  const bool on_free = (coefficient >= 0) == (layer.convex[j] != T(0));
  if (!on_free) return {static_cast<double>(layer.chord_slope[line]), false};
  const T a = with_alpha ? layer.alpha[row * layer.unstable() + j] : layer.free_start[line];
  return {static_cast<double>(std::clamp(a, layer.free_lo[line], layer.free_hi[line])), true};
}

class BackendLinesTest : public BackendConformanceTest {
 protected:
  template <class Body>
  void ForLayers(Body body) {
    ForBothTypes([&](auto tag) {
      uint64_t seed = 0;
      for (const LayerShape& shape : kShapes) {
        for (bool option : {false, true}) {
          SCOPED_TRACE(absl::StrCat(shape.neurons, " neurons, ", shape.rows, " rows, seed ", ++seed));
          body(tag, shape, seed, option);
        }
      }
    });
  }
};

TEST_P(BackendLinesTest, LinesEncloseTheHinge) {
  ForLayers([&](auto tag, const LayerShape& shape, uint64_t seed, bool) {
    using T = decltype(tag);
    Layer<T> layer = MakeLayer<T>(shape, seed);
    DeviceLayer<T> device(backend(), layer, true);
    for (size_t k = 0; k < layer.lower.size(); ++k) {
      const size_t j = k % layer.unstable();
      const auto l = static_cast<double>(layer.lower[k]), u = static_cast<double>(layer.upper[k]);
      const auto left = static_cast<double>(layer.left[j]), right = static_cast<double>(layer.right[j]);
      const double side = layer.convex[j] != T(0) ? 1 : -1;  // the chord is above a convex hinge
      if (l >= 0) {
        ASSERT_EQ(layer.free_lo[k], layer.right[j]);
        ASSERT_EQ(layer.free_hi[k], layer.right[j]);
        ASSERT_EQ(layer.chord_slope[k], layer.right[j]);
        ASSERT_EQ(layer.chord_intercept[k], T(0));
        continue;
      }
      ASSERT_EQ(layer.free_lo[k], std::min(layer.left[j], layer.right[j]));
      ASSERT_EQ(layer.free_hi[k], std::max(layer.left[j], layer.right[j]));
      ASSERT_EQ(layer.free_start[k], u > -l ? layer.right[j] : layer.left[j]);
      for (double x : {l, 0.5 * l, 0.0, 0.5 * u, u}) {
        const double f = (x < 0 ? left : right) * x;
        const double chord =
            static_cast<double>(layer.chord_slope[k]) * x + static_cast<double>(layer.chord_intercept[k]);
        ASSERT_GE(side * (chord - f), 0.0) << "the chord crosses the hinge at " << x;
        const bool end = x == l || x == u;
        ASSERT_TRUE(!end || std::fabs(chord - f) <= 120 * Eps<T>()) << "the chord is not tight at its ends";
      }
    }
  });
}

TEST_P(BackendLinesTest, ApplyLinesSubstitutesTheChosenLines) {
  ForLayers([&](auto tag, const LayerShape& shape, uint64_t seed, bool with_alpha) {
    using T = decltype(tag);
    Layer<T> layer = MakeLayer<T>(shape, seed);
    const bool with_intercept = seed % 4 < 2, with_splits = seed % 3 != 0;
    DeviceLayer<T> device(backend(), layer, with_intercept);
    testing::Random random(seed);
    std::vector<T> lambda = Values<T>(random, shape.rows * shape.neurons);
    lambda[0] = T(0);
    const size_t width = layer.unstable(), n = static_cast<size_t>(shape.neurons),
                 rows = static_cast<size_t>(shape.rows);
    Guarded<T> coefficients(backend(), lambda), without_extras(backend(), lambda),
        alpha(backend(), layer.alpha), saved(backend(), std::vector<T>(rows * width, T(0)));
    const std::vector<double> before = random.Normals(shape.rows, 1.0);
    Guarded<double> acc(backend(), before), acc_only(backend(), before), error(backend(), before);
    const Learned<T> learned{{with_alpha ? alpha.data() : nullptr, nullptr, nullptr},
                             with_splits ? device.splits() : SplitRows<T>{}};
    kernels<T>().ApplyLines(device.rows, device.lines, learned, coefficients.data(), saved.data(),
                            {acc.data(), error.data(), 0.125});
    kernels<T>().ApplyLines(device.rows, device.lines, learned, without_extras.data(), nullptr,
                            {acc_only.data(), nullptr, 0.125});
    const std::vector<T> out = coefficients.Take(), kept = saved.Take();
    const std::vector<double> sums = acc.Take(), errors = error.Take();
    EXPECT_EQ(without_extras.Take(), out);
    EXPECT_EQ(acc_only.Take(), sums);
    for (size_t r = 0; r < rows; ++r) {
      std::vector<double> expected(n);
      double sum = before[r], magnitude = 0;
      for (size_t i = 0; i < n; ++i) {
        const auto c = static_cast<double>(lambda[r * n + i]);
        expected[i] = c * static_cast<double>(layer.stable[i]);
        const double constant = with_intercept ? c * static_cast<double>(layer.intercept[i]) : 0;
        sum += constant;
        magnitude += std::fabs(constant);
      }
      for (size_t j = 0; j < width; ++j) {
        const auto i = static_cast<size_t>(layer.index[j]);
        const auto c = static_cast<double>(lambda[r * n + i]);
        const auto [slope, on_free] = SlopeOf(layer, r, j, c, with_alpha);
        expected[i] = c * slope;
        const double constant =
            on_free ? 0 : c * static_cast<double>(layer.chord_intercept[layer.Line(r, j)]);
        sum += constant;
        magnitude += std::fabs(constant);
        ASSERT_EQ(kept[r * width + j], lambda[r * n + i]);
      }
      for (int32_t k = layer.split_begin[r]; with_splits && k < layer.split_begin[r + 1]; ++k) {
        const auto at = static_cast<size_t>(k);
        expected[static_cast<size_t>(layer.split_neuron[at])] -=
            static_cast<double>(layer.beta[at]) * static_cast<double>(layer.split_sign[at]);
      }
      for (size_t i = 0; i < n; ++i) {
        ASSERT_NEAR(static_cast<double>(out[r * n + i]), expected[i], 20 * Eps<T>())
            << "row " << r << " neuron " << i;
      }
      ASSERT_NEAR(sums[r], sum, 1e-12 * (1 + magnitude));
      ASSERT_NEAR(errors[r], before[r] + 0.125 * magnitude, 1e-12 * (1 + magnitude));
    }
  });
}

// Adam by plain loops: moments 0.9 and 0.999, bias correction, epsilon 1e-8.
struct PlainAdam {
  double first, second;
  double Step(double gradient, double rate, double t) {
    first = 0.9 * first + 0.1 * gradient;
    second = 0.999 * second + 0.001 * gradient * gradient;
    return rate * (first / (1 - std::pow(0.9, t))) / (std::sqrt(second / (1 - std::pow(0.999, t))) + 1e-8);
  }
};

TEST_P(BackendLinesTest, StepFollowsTheLinesAndTheirGradients) {
  ForLayers([&](auto tag, const LayerShape& shape, uint64_t seed, bool learn) {
    using T = decltype(tag);
    Layer<T> layer = MakeLayer<T>(shape, seed);
    DeviceLayer<T> device(backend(), layer, true);
    testing::Random random(seed + 100);
    const size_t width = layer.unstable(), n = static_cast<size_t>(shape.neurons),
                 rows = static_cast<size_t>(shape.rows);
    const auto slope_count = static_cast<int64_t>(rows * width);
    const auto split_count = static_cast<int64_t>(layer.beta.size());
    const std::vector<T> z = Values<T>(random, shape.rows * shape.neurons),
                         saved = Values<T>(random, slope_count), first = Values<T>(random, slope_count, 0.1);
    std::vector<T> second = Values<T>(random, slope_count, 0.1),
                   split_first = Values<T>(random, split_count, 0.1),
                   split_second = Values<T>(random, split_count, 0.1);
    for (auto* v : {&second, &split_second}) {
      for (T& x : *v) x = std::fabs(x);
    }
    Guarded<T> values(backend(), z), s(backend(), saved), alpha(backend(), layer.alpha), m1(backend(), first),
        m2(backend(), second), b1(backend(), split_first), b2(backend(), split_second);
    SlopeState<T> state{alpha.data(), learn ? m1.data() : nullptr, learn ? m2.data() : nullptr};
    SplitRows<T> splits = device.splits();
    if (learn) splits.first_moment = b1.data(), splits.second_moment = b2.data();
    const AdamStep step{0.07, 0.03, 3};
    kernels<T>().StepThroughLines(device.rows, device.lines, s.data(), {state, splits}, step, values.data());
    const std::vector<T> out = values.Take(), alphas = alpha.Take(), betas = device.beta.Take();
    if (!learn) {
      EXPECT_EQ(alphas, layer.alpha);
      EXPECT_EQ(betas, layer.beta);
    }
    const double close = 200 * Eps<T>();
    for (size_t r = 0; r < rows; ++r) {
      std::vector<double> expected(n);
      for (size_t i = 0; i < n; ++i)
        expected[i] = static_cast<double>(layer.stable[i]) * static_cast<double>(z[r * n + i]);
      for (size_t j = 0; j < width; ++j) {
        const size_t at = r * width + j, line = layer.Line(r, j);
        const auto x = static_cast<double>(z[r * n + static_cast<size_t>(layer.index[j])]);
        const auto c = static_cast<double>(saved[at]);
        const auto [slope, on_free] = SlopeOf(layer, r, j, c, true);
        expected[static_cast<size_t>(layer.index[j])] =
            slope * x + (on_free ? 0 : static_cast<double>(layer.chord_intercept[line]));
        if (!learn) continue;
        const auto lo = static_cast<double>(layer.free_lo[line]),
                   hi = static_cast<double>(layer.free_hi[line]);
        PlainAdam adam{static_cast<double>(first[at]), static_cast<double>(second[at])};
        const double a = std::clamp(static_cast<double>(layer.alpha[at]), lo, hi);
        const double moved = std::clamp(a + adam.Step(on_free && lo < hi ? c * x : 0.0, 0.07, 3), lo, hi);
        ASSERT_NEAR(static_cast<double>(alphas[at]), moved, close) << "row " << r << " slope " << j;
        ASSERT_GE(alphas[at], layer.free_lo[line]);
        ASSERT_LE(alphas[at], layer.free_hi[line]);
      }
      for (size_t i = 0; i < n; ++i) {
        ASSERT_NEAR(static_cast<double>(out[r * n + i]),
                    expected[i] + static_cast<double>(layer.intercept[i]), close);
      }
      for (int32_t k = layer.split_begin[r]; learn && k < layer.split_begin[r + 1]; ++k) {
        const auto at = static_cast<size_t>(k);
        PlainAdam adam{static_cast<double>(split_first[at]), static_cast<double>(split_second[at])};
        const auto x = static_cast<double>(z[r * n + static_cast<size_t>(layer.split_neuron[at])]);
        const double moved = static_cast<double>(layer.beta[at]) +
                             adam.Step(-static_cast<double>(layer.split_sign[at]) * x, 0.03, 3);
        ASSERT_NEAR(static_cast<double>(betas[at]), std::max(0.0, moved), close);
      }
    }
  });
}

TEST_P(BackendLinesTest, ScoresAreZeroWhereNothingIsToSplitAndGrowWithTheCoefficient) {
  ForLayers([&](auto tag, const LayerShape& shape, uint64_t seed, bool) {
    using T = decltype(tag);
    Layer<T> layer = MakeLayer<T>(shape, seed);
    DeviceLayer<T> device(backend(), layer, true);
    testing::Random random(seed);
    const auto count = static_cast<size_t>(shape.rows) * layer.unstable();
    std::vector<T> saved = Values<T>(random, static_cast<int64_t>(count)), twice = saved;
    for (T& v : twice) v *= T(2);
    Guarded<T> s(backend(), saved), s2(backend(), twice), score(backend(), saved), score2(backend(), saved);
    kernels<T>().Score(device.rows, device.lines, s.data(), score.data());
    kernels<T>().Score(device.rows, device.lines, s2.data(), score2.data());
    const std::vector<T> once = score.Take(), doubled = score2.Take();
    for (size_t k = 0; k < count; ++k) {
      const size_t line = layer.Line(k / layer.unstable(), k % layer.unstable());
      const bool open = layer.free_lo[line] < layer.free_hi[line];
      if (!open || saved[k] == T(0)) {
        ASSERT_EQ(once[k], T(0));
      } else {
        ASSERT_GT(once[k], T(0));
        ASSERT_GT(doubled[k], once[k]);
      }
    }
  });
}

TEST_P(BackendLinesTest, NotANumberNeverVanishes) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    for (double sign : {1.0, -1.0}) {
      SCOPED_TRACE(sign);
      Layer<T> layer = MakeLayer<T>({3, 1, 1, 1.0}, 5);
      layer.left.assign(3, T(0));
      layer.right.assign(3, T(1));
      layer.convex.assign(3, T(1));
      layer.lower = {T(-1), nan, T(-1)};
      layer.upper = {T(1), nan, T(1)};
      layer.split_begin = {0, 0};
      layer.split_neuron.clear();
      layer.split_sign.clear();
      layer.beta.clear();
      DeviceLayer<T> device(backend(), layer, false);
      // A coefficient that takes the chord of an unknown neuron knows nothing; its free line stays sound.
      Guarded<T> lambda(backend(), {T(1), T(-1), T(1)}),
          poisoned(backend(), {T(1), T(1), static_cast<T>(sign) * nan});
      Guarded<double> acc(backend(), {0.0}), acc2(backend(), {0.0}), error(backend(), {0.0});
      kernels<T>().ApplyLines(device.rows, device.lines, {}, lambda.data(), nullptr,
                              {acc.data(), nullptr, 1});
      kernels<T>().ApplyLines(device.rows, device.lines, {}, poisoned.data(), nullptr,
                              {acc2.data(), error.data(), 1});
      EXPECT_TRUE(std::isnan(acc.Take()[0]) || std::isnan(lambda.Take()[1]));
      EXPECT_TRUE(std::isnan(poisoned.Take()[2]));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendLinesTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
