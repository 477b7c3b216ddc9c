// The element-wise and row-wise primitives against plain double loops.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"

namespace espalier::backend {
namespace {

class BackendRowsTest : public BackendConformanceTest {
 protected:
  // Calls body(T{}, shape) for every shape in both types.
  template <class Body>
  void ForShapes(Body body) {
    ForBothTypes([&](auto tag) {
      for (const RowShape& shape : RowShapes()) {
        SCOPED_TRACE(absl::StrCat(shape.rows, " rows of ", shape.n));
        body(tag, shape);
      }
    });
  }
};

TEST_P(BackendRowsTest, DotAndAbsDotAddToWhatIsThere) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(1);
    const std::vector<T> lambda = Values<T>(random, s.rows * s.n), vec = Values<T>(random, s.n);
    const std::vector<double> before = random.Normals(s.rows, 1.0);
    Guarded<T> l(backend(), lambda), v(backend(), vec);
    Guarded<double> dot(backend(), before), abs_dot(backend(), before);
    kernels<T>().Dot(s.rows, s.n, l.data(), v.data(), dot.data());
    kernels<T>().AbsDot(s.rows, s.n, l.data(), v.data(), 0.25, abs_dot.data());
    const std::vector<double> actual = dot.Take(), actual_abs = abs_dot.Take();
    for (size_t r = 0; r < before.size(); ++r) {
      double sum = before[r], absolute = 0;
      for (size_t i = 0; i < vec.size(); ++i) {
        const double product = static_cast<double>(lambda[r * vec.size() + i]) * static_cast<double>(vec[i]);
        sum += product;
        absolute += std::fabs(product);
      }
      // In double also for float32 rows.
      const double allowed = 4e-16 * static_cast<double>(s.n + 4) * (absolute + std::fabs(before[r]));
      ASSERT_NEAR(actual[r], sum, allowed);
      ASSERT_NEAR(actual_abs[r], before[r] + 0.25 * absolute, allowed);
    }
  });
}

TEST_P(BackendRowsTest, UnitDotsPickOneElement) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    const std::vector<T> vec = {T(1), T(-2), T(3)};
    Guarded<T> v(backend(), vec), sign(backend(), std::vector<T>{T(1), T(-1), T(-1)});
    Guarded<int32_t> neuron(backend(), std::vector<int32_t>{2, 1, 0});
    Guarded<double> plain(backend(), {10.0, 10.0, 10.0}), absolute(backend(), {10.0, 10.0, 10.0});
    kernels<T>().DotUnit({3, neuron.data(), sign.data()}, v.data(), 2.0, false, plain.data());
    kernels<T>().DotUnit({3, neuron.data(), sign.data()}, v.data(), 2.0, true, absolute.data());
    EXPECT_EQ(plain.Take(), (std::vector<double>{16, 14, 8}));
    EXPECT_EQ(absolute.Take(), (std::vector<double>{16, 14, 12}));
  });
}

TEST_P(BackendRowsTest, CopiesSumsAndProducts) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(2);
    const auto count = s.rows * s.n;
    const std::vector<T> in = Values<T>(random, count), out = Values<T>(random, count),
                         vec = Values<T>(random, s.n);
    Guarded<T> source(backend(), in), sum(backend(), out), product(backend(), out), rows(backend(), out),
        filled(backend(), out), v(backend(), vec);
    kernels<T>().Add(count, source.data(), sum.data());
    kernels<T>().Multiply(count, source.data(), product.data());
    kernels<T>().FillRows(s.rows, s.n, v.data(), rows.data());
    kernels<T>().Fill(count, T(7), filled.data());
    const std::vector<T> sums = sum.Take(), products = product.Take(), copies = rows.Take();
    for (size_t i = 0; i < in.size(); ++i) {
      ASSERT_EQ(sums[i], static_cast<T>(out[i] + in[i]));
      ASSERT_EQ(products[i], static_cast<T>(out[i] * in[i]));
      ASSERT_EQ(copies[i], vec[i % vec.size()]);
    }
    EXPECT_EQ(filled.Take(), std::vector<T>(in.size(), T(7)));
  });
}

TEST_P(BackendRowsTest, RowsAreGatheredByDomain) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    testing::Random random(3);
    const int64_t n = 13, domains = 4, count = 300;
    const std::vector<T> table = Values<T>(random, domains * n);
    std::vector<int32_t> domain;
    for (int64_t r = 0; r < count; ++r) domain.push_back(static_cast<int32_t>(random.Int(0, domains - 1)));
    Guarded<int32_t> d(backend(), domain);
    Guarded<T> t(backend(), table), out(backend(), std::vector<T>(static_cast<size_t>(count * n)));
    kernels<T>().GatherRows({count, d.data()}, n, t.data(), out.data());
    const std::vector<T> rows = out.Take();
    for (size_t r = 0; r < domain.size(); ++r) {
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        ASSERT_EQ(rows[r * 13 + i], table[static_cast<size_t>(domain[r]) * 13 + i]);
      }
    }
  });
}

TEST_P(BackendRowsTest, ConcretiseTakesTheMinimumOverTheDomainsBox) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(4);
    const auto n = static_cast<size_t>(s.n);
    std::vector<T> lambda = Values<T>(random, s.rows * s.n), lower, upper;
    lambda[0] = T(0);
    for (size_t i = 0; i < 2 * n; ++i) {  // two domains
      const T centre = static_cast<T>(random.Normal());
      const T radius = random.Chance(0.2) ? T(0) : static_cast<T>(random.Uniform(0, 1));
      lower.push_back(centre - radius);
      upper.push_back(centre + radius);
    }
    std::vector<int32_t> domain;
    for (int64_t r = 0; r < s.rows; ++r) domain.push_back(static_cast<int32_t>(r % 2));
    const std::vector<double> acc = random.Normals(s.rows, 1.0);
    Guarded<int32_t> d(backend(), domain);
    Guarded<T> l(backend(), lambda), low(backend(), lower), high(backend(), upper), corner(backend(), lambda);
    Guarded<double> a(backend(), acc), bound(backend(), acc), only(backend(), acc), error(backend(), acc);
    const RowSet rows{s.rows, d.data()};
    kernels<T>().Concretise(rows, s.n, l.data(), {low.data(), high.data()}, {a.data(), error.data(), 0.5},
                            {bound.data(), corner.data()});
    kernels<T>().Concretise(rows, s.n, l.data(), {low.data(), high.data()}, {a.data(), nullptr, 0.5},
                            {only.data(), nullptr});
    const std::vector<double> bounds = bound.Take(), alone = only.Take(), errors = error.Take();
    const std::vector<T> corners = corner.Take();
    for (size_t r = 0; r < acc.size(); ++r) {
      double expected = acc[r], magnitude = 0, at_corner = acc[r];
      for (size_t i = 0; i < n; ++i) {
        const auto c = static_cast<double>(lambda[r * n + i]);
        const size_t at = static_cast<size_t>(domain[r]) * n + i;
        const auto lo = static_cast<double>(lower[at]), hi = static_cast<double>(upper[at]);
        expected += std::min(c * lo, c * hi);
        magnitude += std::fabs(c) * std::max(std::fabs(lo), std::fabs(hi));
        ASSERT_TRUE(corners[r * n + i] == lower[at] || corners[r * n + i] == upper[at]);
        at_corner += c * static_cast<double>(corners[r * n + i]);
      }
      const double allowed = 4e-16 * static_cast<double>(n + 4) * (magnitude + std::fabs(acc[r]));
      ASSERT_NEAR(bounds[r], expected, allowed);
      ASSERT_NEAR(alone[r], expected, allowed);
      ASSERT_NEAR(at_corner, expected, allowed);
      // The allowance covers the sum; more than that is only less tight.
      ASSERT_GE(errors[r], acc[r] + 0.5 * magnitude - 1e-12 * (1 + magnitude));
      ASSERT_LE(errors[r], acc[r] + 0.5 * (magnitude + std::fabs(acc[r])) + 1e-12 * (1 + magnitude));
    }
  });
}

TEST_P(BackendRowsTest, OnlyImprovedRowsAreKept) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<T> from = {T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8)};
    const std::vector<double> bounds = {1, 2, nan, -1},
                              bests = {0, 2, -10, -std::numeric_limits<double>::infinity()};
    Guarded<double> bound(backend(), bounds), best(backend(), bests);
    Guarded<T> source(backend(), from), target(backend(), std::vector<T>(8, T(0))),
        compressed(backend(), std::vector<T>(8, T(0)));
    kernels<T>().KeepBest(4, 2, bound.data(), best.data(), source.data(), target.data());
    EXPECT_EQ(target.Take(), (std::vector<T>{T(1), T(2), T(0), T(0), T(0), T(0), T(7), T(8)}));
    Guarded<int32_t> begin(backend(), std::vector<int32_t>{0, 3, 4, 7, 8});
    kernels<T>().KeepBestSplits(4, begin.data(), bound.data(), best.data(), source.data(), compressed.data());
    EXPECT_EQ(compressed.Take(), (std::vector<T>{T(1), T(2), T(3), T(0), T(0), T(0), T(0), T(8)}));
  });
}

TEST_P(BackendRowsTest, HingesAreEvaluatedWithTheirSlopes) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(6);
    const auto n = static_cast<size_t>(s.n);
    const std::vector<T> left = Values<T>(random, s.n), right = Values<T>(random, s.n),
                         add = Values<T>(random, s.n);
    std::vector<T> z = Values<T>(random, s.rows * s.n);
    z[0] = T(0);
    Guarded<T> l(backend(), left), r(backend(), right), c(backend(), add), with(backend(), z),
        without(backend(), z), slope(backend(), z);
    kernels<T>().Hinge(s.rows, s.n, {l.data(), r.data(), c.data()}, with.data(), slope.data());
    kernels<T>().Hinge(s.rows, s.n, {l.data(), r.data(), c.data()}, without.data(), nullptr);
    const std::vector<T> value = with.Take(), slopes = slope.Take();
    EXPECT_EQ(without.Take(), value);
    for (size_t i = 0; i < z.size(); ++i) {
      const T k = z[i] < T(0) ? left[i % n] : right[i % n];
      ASSERT_EQ(slopes[i], k);
      const double expected =
          static_cast<double>(add[i % n]) + static_cast<double>(k) * static_cast<double>(z[i]);
      ASSERT_NEAR(static_cast<double>(value[i]), expected,
                  2 * Eps<T>() * (std::fabs(static_cast<double>(add[i % n])) + std::fabs(expected)));
    }
  });
}

TEST_P(BackendRowsTest, CentreAndRadiusCoverTheInterval) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(7);
    const auto count = s.rows * s.n;
    const T slack = T(8) * std::numeric_limits<T>::epsilon();
    std::vector<T> lower, upper;
    for (int64_t i = 0; i < count; ++i) {
      const double scale = std::pow(10.0, random.Uniform(-6, 6)), a = scale * random.Normal();
      lower.push_back(static_cast<T>(a));
      upper.push_back(random.Chance(0.1) ? lower.back()
                                         : static_cast<T>(a + scale * random.Uniform(0, 1e-3)));
      if (upper.back() < lower.back()) upper.back() = lower.back();
    }
    Guarded<T> l(backend(), lower), u(backend(), upper), centre(backend(), lower), radius(backend(), lower);
    kernels<T>().ToCentre(count, l.data(), u.data(), slack, centre.data(), radius.data());
    const std::vector<T> c = centre.Take(), r = radius.Take();
    for (size_t i = 0; i < lower.size(); ++i) {
      const auto mid = static_cast<double>(c[i]), reach = static_cast<double>(r[i]);
      ASSERT_LE(mid - reach, static_cast<double>(lower[i]));
      ASSERT_GE(mid + reach, static_cast<double>(upper[i]));
      const double half = 0.5 * (static_cast<double>(upper[i]) - static_cast<double>(lower[i]));
      ASSERT_LE(reach, half + 20 * Eps<T>() * (std::fabs(mid) + half));
    }
  });
}

TEST_P(BackendRowsTest, IntervalsFromCentresReachOutward) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(8);
    const auto n = static_cast<size_t>(s.n);
    const T slack = T(8) * std::numeric_limits<T>::epsilon();
    const std::vector<T> centre = Values<T>(random, s.rows * s.n, 100.0),
                         bias = Values<T>(random, s.n, 100.0);
    std::vector<T> radius = Values<T>(random, s.rows * s.n);
    for (T& r : radius) r = std::fabs(r);
    Guarded<T> c(backend(), centre), r(backend(), radius), b(backend(), bias), low(backend(), centre),
        high(backend(), centre);
    kernels<T>().FromCentre(s.rows, s.n, {c.data(), r.data()}, b.data(), slack, {low.data(), high.data()});
    const std::vector<T> lower = low.Take(), upper = high.Take();
    for (size_t i = 0; i < centre.size(); ++i) {
      const double mid = static_cast<double>(centre[i]) + static_cast<double>(bias[i % n]);
      const auto reach = static_cast<double>(radius[i]);
      ASSERT_LE(static_cast<double>(lower[i]), mid - reach);
      ASSERT_GE(static_cast<double>(upper[i]), mid + reach);
      ASSERT_NEAR(static_cast<double>(lower[i]), mid - reach, 1e5 * Eps<T>());
      ASSERT_NEAR(static_cast<double>(upper[i]), mid + reach, 1e5 * Eps<T>());
    }
  });
}

TEST_P(BackendRowsTest, HingeIntervalsHoldTheImage) {
  ForShapes([&](auto tag, RowShape s) {
    using T = decltype(tag);
    testing::Random random(9);
    const auto n = static_cast<size_t>(s.n);
    const T slack = T(8) * std::numeric_limits<T>::epsilon();
    const std::vector<T> left = Values<T>(random, s.n), right = Values<T>(random, s.n),
                         add = Values<T>(random, s.n);
    std::vector<T> lower = Values<T>(random, s.rows * s.n), upper = lower;
    for (T& u : upper) u += random.Chance(0.1) ? T(0) : static_cast<T>(random.Uniform(0, 3));
    Guarded<T> l(backend(), left), r(backend(), right), c(backend(), add), low(backend(), lower),
        high(backend(), upper);
    kernels<T>().HingeInterval(s.rows, s.n, {l.data(), r.data(), c.data()}, slack, {low.data(), high.data()});
    const std::vector<T> image_low = low.Take(), image_high = high.Take();
    for (size_t i = 0; i < lower.size(); ++i) {
      const auto f = [&](double x) {
        return static_cast<double>(add[i % n]) + static_cast<double>(x < 0 ? left[i % n] : right[i % n]) * x;
      };
      const auto a = static_cast<double>(lower[i]), b = static_cast<double>(upper[i]);
      double least = std::min(f(a), f(b)), most = std::max(f(a), f(b));
      if (a < 0 && b > 0) least = std::min(least, f(0)), most = std::max(most, f(0));
      ASSERT_LE(static_cast<double>(image_low[i]), least);
      ASSERT_GE(static_cast<double>(image_high[i]), most);
      ASSERT_NEAR(static_cast<double>(image_low[i]), least, 1e3 * Eps<T>());
      ASSERT_NEAR(static_cast<double>(image_high[i]), most, 1e3 * Eps<T>());
    }
  });
}

TEST_P(BackendRowsTest, NotANumberNeverVanishes) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    auto& k = kernels<T>();
    for (int64_t n : {1, 3, 40}) {
      std::vector<T> poisoned(static_cast<size_t>(n), T(1)), ones = poisoned, zeros(poisoned.size(), T(0));
      const size_t at = poisoned.size() / 2;
      poisoned[at] = nan;
      Guarded<T> p(backend(), poisoned), one(backend(), ones), zero(backend(), zeros);
      Guarded<double> acc(backend(), std::vector<double>(6, 0.0));
      Guarded<int32_t> domain(backend(), {0}), unit(backend(), {static_cast<int32_t>(at)});
      k.Dot(1, n, p.data(), zero.data(), acc.data());
      k.AbsDot(1, n, zero.data(), p.data(), 1.0, acc.data() + 1);
      k.DotUnit({1, unit.data(), one.data()}, p.data(), 1.0, true, acc.data() + 2);
      k.Concretise({1, domain.data()}, n, p.data(), {zero.data(), one.data()},
                   {acc.data() + 5, acc.data() + 4, 1.0}, {acc.data() + 3, nullptr});
      const std::vector<double> sums = acc.Take();
      for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(std::isnan(sums[i])) << "sum " << i;
      Guarded<T> added(backend(), ones), multiplied(backend(), zeros), hinge(backend(), poisoned),
          c(backend(), ones), r(backend(), ones), low(backend(), ones), high(backend(), poisoned);
      k.Add(n, p.data(), added.data());
      k.Multiply(n, p.data(), multiplied.data());
      k.Hinge(1, n, {zero.data(), one.data(), zero.data()}, hinge.data(), nullptr);
      k.ToCentre(n, one.data(), p.data(), T(0), c.data(), r.data());
      k.HingeInterval(1, n, {zero.data(), one.data(), zero.data()}, T(0), {low.data(), high.data()});
      EXPECT_TRUE(std::isnan(added.Take()[at]));
      EXPECT_TRUE(std::isnan(multiplied.Take()[at]));
      EXPECT_TRUE(std::isnan(hinge.Take()[at]));
      EXPECT_TRUE(std::isnan(r.Take()[at]));
      EXPECT_TRUE(std::isnan(low.Take()[at]));
      EXPECT_TRUE(std::isnan(high.Take()[at]));
      Guarded<T> from_low(backend(), ones), from_high(backend(), ones);
      k.FromCentre(1, n, {one.data(), p.data()}, zero.data(), T(0), {from_low.data(), from_high.data()});
      EXPECT_TRUE(std::isnan(from_low.Take()[at]));
      EXPECT_TRUE(std::isnan(from_high.Take()[at]));
    }
  });
}

TEST_P(BackendRowsTest, NothingHappensForNoRows) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    Guarded<T> data(backend(), std::vector<T>{T(1), T(2)});
    Guarded<double> acc(backend(), {1.0, 2.0});
    Guarded<int32_t> domain(backend(), {0});
    kernels<T>().Dot(0, 2, data.data(), data.data(), acc.data());
    kernels<T>().Add(0, data.data(), data.data());
    kernels<T>().FillRows(0, 2, data.data(), data.data());
    kernels<T>().Concretise({0, domain.data()}, 2, data.data(), {data.data(), data.data()},
                            {acc.data(), nullptr, 1.0}, {acc.data(), nullptr});
    EXPECT_EQ(data.Take(), (std::vector<T>{T(1), T(2)}));
    EXPECT_EQ(acc.Take(), (std::vector<double>{1.0, 2.0}));
  });
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendRowsTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
