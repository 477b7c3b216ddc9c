// Products with linear maps against plain double loops (ir::Apply, ir::ApplyTransposed).
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/conformance/backend_conformance.h"
#include "tests/conformance/backend_map_cases.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {
namespace {

ir::LinearMap Sparse(testing::Random& random, int64_t rows, int64_t cols, double density) {
  ir::SparseMap map{rows, cols, {0}, {}, {}};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      if (!random.Chance(density)) continue;
      map.column.push_back(static_cast<int32_t>(c));
      map.value.push_back(random.Normal());
    }
    map.row_begin.push_back(static_cast<int64_t>(map.column.size()));
  }
  return map;
}

std::vector<NamedMap> AllMaps() {
  testing::Random random(11);
  std::vector<NamedMap> maps = {
      {"dense 1x1", Dense(random, 1, 1)},
      {"dense 3x5", Dense(random, 3, 5)},
      {"dense 1x200", Dense(random, 1, 200)},
      {"dense 37x53", Dense(random, 37, 53)},
      {"large dense 256x257", Dense(random, 256, 257)},
      {"large dense 33x2001", Dense(random, 33, 2001)},
      {"mostly zero dense 90x110", Dense(random, 90, 110, 0.02)},
      {"zero dense 70x70", Dense(random, 70, 70, 0.0)},
      {"half zero dense 80x80", Dense(random, 80, 80, 0.5)},
      {"identity", ir::IdentityMap{23}},
      {"scale", ir::ScaleMap{random.Normals(19, 1.0)}},
      {"sparse", Sparse(random, 31, 43, 0.1)},
      {"sparse without entries", Sparse(random, 5, 7, 0.0)},
  };
  for (const auto& [name, shape] : ConvShapes()) {
    maps.push_back({name, Conv(random, shape, false)});
    maps.push_back({"transposed " + name, Conv(random, shape, true)});
  }
  return maps;
}

const std::vector<NamedMap>& Maps() {
  static const auto* maps = new std::vector<NamedMap>(AllMaps());
  return *maps;
}

constexpr int64_t kRowCounts[] = {1, 2, 7, 33, 300};

class BackendMapsTest : public BackendConformanceTest {
 protected:
  template <class T>
  void CheckProducts(const PreparedMap& prepared, const ir::LinearMap& map, int64_t rows, bool accumulate);
  void CheckAllProducts(bool absolute);
};

template <class T>
void BackendMapsTest::CheckProducts(const PreparedMap& prepared, const ir::LinearMap& map, int64_t rows,
                                    bool accumulate) {
  SCOPED_TRACE(
      absl::StrCat(sizeof(T) == 4 ? "float32 " : "float64 ", rows, " rows", accumulate ? ", added" : ""));
  testing::Random random(static_cast<uint64_t>(rows));
  for (bool forward : {true, false}) {
    SCOPED_TRACE(forward ? "Forward" : "Backward");
    const int64_t from = forward ? prepared.input_size() : prepared.output_size();
    const int64_t to = forward ? prepared.output_size() : prepared.input_size();
    const std::vector<T> in = Values<T>(random, rows * from), before = Values<T>(random, rows * to);
    Guarded<T> source(backend(), in), target(backend(), before);
    if (forward) {
      kernels<T>().Forward(prepared, rows, source.data(), target.data(), accumulate);
    } else {
      kernels<T>().Backward(prepared, rows, source.data(), target.data(), accumulate);
    }
    std::vector<double> expected(before.size(), 0.0);
    if (accumulate) expected = Doubles(before);
    std::vector<double> magnitude = expected;
    Expected(map, forward ? ir::Apply : ir::ApplyTransposed, rows, Doubles(in), expected, magnitude);
    ExpectClose<T>(target.Take(), expected, magnitude, prepared.longest_sum());
    EXPECT_EQ(source.Take(), in) << "the source was changed";
  }
}

void BackendMapsTest::CheckAllProducts(bool absolute) {
  for (const NamedMap& named : Maps()) {
    SCOPED_TRACE(named.name);
    const auto map = std::make_shared<ir::LinearMap>(named.map);
    const auto prepared = absolute ? backend().PrepareAbs(map) : backend().Prepare(map);
    ASSERT_TRUE(prepared.ok()) << prepared.status();
    const ir::LinearMap reference = absolute ? Absolute(named.map) : named.map;
    EXPECT_EQ((*prepared)->input_size(), ir::InputSize(named.map));
    EXPECT_EQ((*prepared)->output_size(), ir::OutputSize(named.map));
    for (int64_t rows : kRowCounts) {
      for (bool accumulate : {false, true}) {
        const bool large = ir::InputSize(named.map) * ir::OutputSize(named.map) > 30000;
        if (large && rows == 300 && accumulate) continue;  // plain loops take their time
        CheckProducts<float>(**prepared, reference, rows, accumulate);
        CheckProducts<double>(**prepared, reference, rows, accumulate);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(BackendMapsTest, ProductsEqualPlainLoops) {
  CheckAllProducts(/*absolute=*/false);
}

TEST_P(BackendMapsTest, ProductsWithAbsoluteCoefficientsEqualPlainLoops) {
  CheckAllProducts(/*absolute=*/true);
}

// The n of the rounding allowance must not be too small: no sum may be longer.
TEST_P(BackendMapsTest, LongestSumCoversEverySum) {
  for (const NamedMap& named : Maps()) {
    SCOPED_TRACE(named.name);
    const auto prepared = backend().Prepare(std::make_shared<ir::LinearMap>(named.map));
    ASSERT_TRUE(prepared.ok());
    const auto in = static_cast<size_t>(ir::InputSize(named.map)),
               out = static_cast<size_t>(ir::OutputSize(named.map));
    std::vector<int64_t> by_row(out, 0), by_column(in, 0);
    for (size_t c = 0; c < in; ++c) {
      std::vector<double> unit(in, 0.0), column(out, 0.0);
      unit[c] = 1;
      ir::Apply(named.map, unit.data(), column.data());
      for (size_t r = 0; r < out; ++r) {
        if (column[r] != 0) ++by_row[r], ++by_column[c];
      }
    }
    EXPECT_GE((*prepared)->longest_sum(), *std::max_element(by_row.begin(), by_row.end()));
    EXPECT_GE((*prepared)->longest_sum(), *std::max_element(by_column.begin(), by_column.end()));
    EXPECT_GE((*prepared)->longest_backward_sum(), *std::max_element(by_column.begin(), by_column.end()));
  }
}

TEST_P(BackendMapsTest, SignedUnitRowsEqualPlainLoops) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    for (const NamedMap& named : Maps()) {
      SCOPED_TRACE(named.name);
      const auto prepared = backend().Prepare(std::make_shared<ir::LinearMap>(named.map));
      ASSERT_TRUE(prepared.ok());
      const int64_t in = ir::InputSize(named.map), out = ir::OutputSize(named.map);
      for (int64_t rows : {int64_t{1}, int64_t{3}, std::min<int64_t>(2 * out, 300)}) {
        for (bool accumulate : {false, true}) {
          testing::Random random(static_cast<uint64_t>(rows + out));
          std::vector<int32_t> neuron;
          std::vector<T> sign;
          for (int64_t r = 0; r < rows; ++r) {
            neuron.push_back(static_cast<int32_t>(random.Int(0, out - 1)));
            sign.push_back(random.Chance(0.5) ? T(1) : T(-1));
          }
          const std::vector<T> before = Values<T>(random, rows * in);
          Guarded<int32_t> neurons(backend(), neuron);
          Guarded<T> signs(backend(), sign), target(backend(), before);
          kernels<T>().BackwardUnit(**prepared, {rows, neurons.data(), signs.data()}, target.data(),
                                    accumulate);
          std::vector<double> expected =
              accumulate ? Doubles(before) : std::vector<double>(before.size(), 0.0);
          std::vector<double> magnitude = expected;
          std::vector<double> unit(static_cast<size_t>(rows * out), 0.0);
          for (size_t r = 0; r < neuron.size(); ++r) {
            unit[r * static_cast<size_t>(out) + static_cast<size_t>(neuron[r])] =
                static_cast<double>(sign[r]);
          }
          Expected(named.map, ir::ApplyTransposed, rows, unit, expected, magnitude);
          ExpectClose<T>(target.Take(), expected, magnitude, 1);
        }
      }
    }
  });
}

// A NaN must reach every output that its input has a non-zero weight to, in either direction and whatever the
// library does with it; and it must not spread to other rows.
TEST_P(BackendMapsTest, NotANumberNeverVanishes) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    for (const NamedMap& named : Maps()) {
      const auto prepared = backend().Prepare(std::make_shared<ir::LinearMap>(named.map));
      ASSERT_TRUE(prepared.ok());
      for (bool forward : {true, false}) {
        SCOPED_TRACE(absl::StrCat(named.name, forward ? " Forward" : " Backward"));
        const auto from =
            static_cast<size_t>(forward ? (*prepared)->input_size() : (*prepared)->output_size());
        const auto to = static_cast<size_t>(forward ? (*prepared)->output_size() : (*prepared)->input_size());
        const size_t poisoned = from / 2;
        std::vector<T> in(3 * from, T(1));
        in[from + poisoned] = std::numeric_limits<T>::quiet_NaN();  // of row 1
        Guarded<T> source(backend(), in), target(backend(), std::vector<T>(3 * to, T(0)));
        if (forward) {
          kernels<T>().Forward(**prepared, 3, source.data(), target.data(), false);
        } else {
          kernels<T>().Backward(**prepared, 3, source.data(), target.data(), false);
        }
        std::vector<double> unit(from, 0.0), touched(to, 0.0);
        unit[poisoned] = 1;
        (forward ? ir::Apply : ir::ApplyTransposed)(named.map, unit.data(), touched.data());
        const std::vector<T> out = target.Take();
        for (size_t i = 0; i < to; ++i) {
          ASSERT_TRUE(touched[i] == 0 || std::isnan(out[to + i])) << "element " << i;
          ASSERT_FALSE(std::isnan(out[i])) << "row 0, element " << i;
          ASSERT_FALSE(std::isnan(out[2 * to + i])) << "row 2, element " << i;
        }
      }
    }
  });
}

// What a target held before must not matter when nothing is accumulated, not even NaN.
TEST_P(BackendMapsTest, OverwritingIgnoresWhatWasThere) {
  ForBothTypes([&](auto tag) {
    using T = decltype(tag);
    for (const NamedMap& named : Maps()) {
      SCOPED_TRACE(named.name);
      const auto prepared = backend().Prepare(std::make_shared<ir::LinearMap>(named.map));
      ASSERT_TRUE(prepared.ok());
      const int64_t in = (*prepared)->input_size(), out = (*prepared)->output_size();
      const std::vector<T> garbage(static_cast<size_t>(5 * std::max(in, out)),
                                   std::numeric_limits<T>::quiet_NaN());
      Guarded<T> source(backend(), std::vector<T>(garbage.size(), T(1))), target(backend(), garbage);
      kernels<T>().Forward(**prepared, 5, source.data(), target.data(), false);
      const std::vector<T> y = target.Take();
      for (size_t i = 0; i < static_cast<size_t>(5 * out); ++i)
        ASSERT_FALSE(std::isnan(y[i])) << "Forward " << i;
      Guarded<T> other(backend(), garbage);
      kernels<T>().Backward(**prepared, 5, source.data(), other.data(), false);
      const std::vector<T> x = other.Take();
      for (size_t i = 0; i < static_cast<size_t>(5 * in); ++i)
        ASSERT_FALSE(std::isnan(x[i])) << "Backward " << i;
    }
  });
}

// The big image may hold rows that no window reaches: a dilated transposed convolution with output padding
// makes them.
TEST_P(BackendMapsTest, ConvolutionsMayLeaveAStrideOrMoreUnread) {
  ir::ConvMap map;
  map.big_h = map.big_w = 8, map.big_c = 2;
  map.small_h = 2, map.small_w = 3, map.small_c = 3;
  map.kernel_h = map.kernel_w = 2;
  testing::Random random(5);
  map.kernel = random.Normals(24, 1.0);
  for (bool transposed : {false, true}) {
    map.transposed = transposed;
    SCOPED_TRACE(transposed ? "transposed" : "plain");
    const auto prepared = backend().Prepare(std::make_shared<ir::LinearMap>(map));
    ASSERT_TRUE(prepared.ok()) << prepared.status();
    CheckProducts<double>(**prepared, map, 3, false);
    CheckProducts<float>(**prepared, map, 3, false);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendMapsTest, ::testing::ValuesIn(AllBackends()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace espalier::backend
