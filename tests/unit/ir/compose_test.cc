// Products and sums of linear maps against applying them one after the other.
#include "verifier/ir/compose.h"

#include <gtest/gtest.h>

#include <random>

namespace espalier::ir {
namespace {

class Maps {
 public:
  std::vector<double> Values(int64_t n) {
    std::normal_distribution<double> normal;
    std::vector<double> v(static_cast<size_t>(n));
    for (double& x : v) x = normal(random_);
    return v;
  }
  // Every form of map from `size` to `size` values, an image of h x w x 2.
  std::vector<LinearMap> Square(int64_t h, int64_t w) {
    const int64_t size = h * w * 2;
    std::vector<double> channel = Values(2), scale;
    for (int64_t i = 0; i < size; ++i) scale.push_back(channel[static_cast<size_t>(i % 2)]);
    std::vector<int64_t> source;
    for (int64_t i = 0; i < size; ++i) source.push_back(i % 5 == 0 ? -1 : (7 * i + 3) % size);
    return {IdentityMap{size},      ScaleMap{Values(size)},
            ScaleMap{scale},        DenseMap{size, size, Values(size * size)},
            Conv(h, w, false),      Conv(h, w, true),
            GatherMap(source, size)};
  }
  ConvMap Conv(int64_t h, int64_t w, bool transposed) {
    ConvMap map;
    map.big_h = map.small_h = h, map.big_w = map.small_w = w, map.big_c = map.small_c = 2;
    map.kernel_h = map.kernel_w = 3, map.pad_top = map.pad_left = 1;
    map.transposed = transposed;
    map.kernel = Values(36);
    return map;
  }
  void ExpectEqual(const LinearMap& actual, const std::vector<double>& expected,
                   const std::vector<double>& x) {
    std::vector<double> y(expected.size(), 0.0);
    ASSERT_EQ(OutputSize(actual), static_cast<int64_t>(y.size()));
    ASSERT_EQ(InputSize(actual), static_cast<int64_t>(x.size()));
    Apply(actual, x.data(), y.data());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], 1e-11);
  }

 private:
  std::mt19937 random_{3};
};

TEST(Compose, EqualsApplyingBoth) {
  Maps maps;
  const std::vector<LinearMap> all = maps.Square(3, 4);
  int composed = 0;
  for (const LinearMap& outer : all) {
    for (const LinearMap& inner : all) {
      const auto product = Compose(outer, inner);
      EXPECT_EQ(product.has_value(), ComposedWork(outer, inner).has_value())
          << outer.index() << " " << inner.index();
      if (!product) continue;
      ++composed;
      EXPECT_LE(Work(*product), *ComposedWork(outer, inner));
      const std::vector<double> x = maps.Values(24);
      std::vector<double> middle(24, 0.0), y(24, 0.0);
      Apply(inner, x.data(), middle.data());
      Apply(outer, middle.data(), y.data());
      maps.ExpectEqual(*product, y, x);
    }
  }
  EXPECT_GE(composed, 37) << "all but those of convolutions with convolutions, gathers and per-pixel factors";
}

TEST(Compose, SumsAndSparseFormsKeepTheFunction) {
  Maps maps;
  const std::vector<LinearMap> all = maps.Square(3, 4);
  for (const LinearMap& a : all) {
    const std::vector<double> x = maps.Values(24);
    std::vector<double> y(24, 0.0), adjoint(24, 0.0), expected_adjoint(24, 0.0);
    Apply(a, x.data(), y.data());
    maps.ExpectEqual(ToSparse(a), y, x);
    maps.ExpectEqual(Simplify(a), y, x);
    for (const LinearMap& b : all) {
      const auto sum = Sum(a, b);
      if (!sum) continue;
      std::vector<double> both = y;
      Apply(b, x.data(), both.data());
      maps.ExpectEqual(*sum, both, x);
    }
  }
}

TEST(Compose, PaddingMovesIntoTheConvolution) {
  Maps maps;
  const ConvMap conv = maps.Conv(4, 5, false);
  std::vector<int64_t> source(40, -1);  // a 2 x 3 image at row 1, column 2
  for (int64_t h = 0; h < 2; ++h) {
    for (int64_t i = 0; i < 6; ++i) source[static_cast<size_t>((h + 1) * 10 + 4 + i)] = h * 6 + i;
  }
  const SparseMap pad = GatherMap(source, 12);
  const auto product = Compose(conv, pad);
  ASSERT_TRUE(product.has_value());
  EXPECT_EQ(std::get<ConvMap>(*product).pad_top, 2);
  EXPECT_EQ(std::get<ConvMap>(*product).pad_left, 3);
  const std::vector<double> x = maps.Values(12);
  std::vector<double> middle(40, 0.0), y(40, 0.0);
  Apply(pad, x.data(), middle.data());
  Apply(conv, middle.data(), y.data());
  maps.ExpectEqual(*product, y, x);
  std::swap(source[14], source[15]);
  EXPECT_FALSE(Compose(conv, GatherMap(source, 12)).has_value()) << "not a plain padding";
}

TEST(Compose, SimplifyFindsTheCheapestForm) {
  EXPECT_TRUE(std::holds_alternative<IdentityMap>(Simplify(ScaleMap{{1, 1}})));
  EXPECT_TRUE(std::holds_alternative<IdentityMap>(Simplify(GatherMap({0, 1, 2}, 3))));
  EXPECT_TRUE(std::holds_alternative<SparseMap>(Simplify(GatherMap({1, 0}, 2))));
  DenseMap mostly_zero{64, 64, std::vector<double>(4096, 0.0)};
  mostly_zero.weights[5] = 2;
  EXPECT_TRUE(std::holds_alternative<SparseMap>(Simplify(mostly_zero)));
}

TEST(Compose, Permutations) {
  EXPECT_EQ(AsPermutation(GatherMap({2, 0, 1}, 3)), (std::vector<int64_t>{2, 0, 1}));
  EXPECT_FALSE(AsPermutation(GatherMap({2, 0, 2}, 3)).has_value());
  EXPECT_FALSE(AsPermutation(GatherMap({2, -1, 1}, 3)).has_value());
}

TEST(Compose, AbsoluteAdjointMarksColumnsThatMatter) {
  std::vector<double> influence(3, 0.0);
  AbsApplyTransposed(DenseMap{2, 3, {1, 0, -1, -1, 0, 1}}, {1, 1}, influence);
  EXPECT_EQ(influence, (std::vector<double>{2, 0, 2})) << "opposite signs must not cancel";
}

}  // namespace
}  // namespace espalier::ir
