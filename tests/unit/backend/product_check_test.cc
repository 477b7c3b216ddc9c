// The check that backends make of their libraries: right products pass, and each way to be wrong is noticed.
#include "verifier/backend/product_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace espalier::backend {
namespace {

// A library in T's own arithmetic, first term first, whose result of one direction may be spoilt.
template <class T>
class Library {
 public:
  explicit Library(const ir::LinearMap& map) : map_(map) {}
  int spoilt = -1;  // 1: forward, 0: backward
  T (*spoil)(T) = nullptr;

  absl::StatusOr<std::vector<T>> operator()(const std::vector<T>& x, bool forward) const {
    const auto from = static_cast<size_t>(forward ? ir::InputSize(map_) : ir::OutputSize(map_));
    const auto to = static_cast<size_t>(forward ? ir::OutputSize(map_) : ir::InputSize(map_));
    std::vector<T> y(kCheckedRows * to, T(0));
    for (size_t i = 0; i < from; ++i) {
      std::vector<double> unit(from, 0.0), column(to, 0.0);
      unit[i] = 1;
      (forward ? ir::Apply : ir::ApplyTransposed)(map_, unit.data(), column.data());
      for (size_t r = 0; r < kCheckedRows; ++r) {
        for (size_t o = 0; o < to; ++o) y[r * to + o] += static_cast<T>(column[o]) * x[r * from + i];
      }
    }
    if (spoilt == static_cast<int>(forward)) y[to + to / 2] = spoil(y[to + to / 2]);
    return y;
  }

 private:
  const ir::LinearMap& map_;
};

constexpr int64_t kLongest = 72;  // of the convolution: nine taps of eight channels

TEST(ProductCheckTest, ProductsInOneOrderPass) {
  for (const ir::LinearMap& map : {SampleDense(48, 64), SampleConv()}) {
    const absl::Status checked = CheckProducts(map, kLongest, Library<float>(map), Library<double>(map));
    EXPECT_TRUE(checked.ok()) << checked;
  }
}

template <class T>
void ExpectNoticed(T (*spoil)(T)) {
  const ir::LinearMap map = SampleDense(48, 64);
  for (const int direction : {0, 1}) {
    Library<float> f32(map);
    Library<double> f64(map);
    auto& wrong = [&]() -> Library<T>& {
      if constexpr (std::is_same_v<T, float>) {
        return f32;
      } else {
        return f64;
      }
    }();
    wrong.spoilt = direction;
    wrong.spoil = spoil;
    const absl::Status checked = CheckProducts(map, kLongest, f32, f64);
    EXPECT_TRUE(absl::IsInternal(checked)) << direction << " " << checked;
  }
}

TEST(ProductCheckTest, OneWrongElementOfAnyKindIsNoticed) {
  ExpectNoticed<float>([](float v) { return v * 1.01f + 0.01f; });
  ExpectNoticed<double>([](double v) { return v + 1e-12; });
  ExpectNoticed<float>([](float) { return std::numeric_limits<float>::quiet_NaN(); });
  ExpectNoticed<double>([](double) { return std::numeric_limits<double>::quiet_NaN(); });
  ExpectNoticed<double>([](double v) { return static_cast<double>(static_cast<float>(v)); });
}

TEST(ProductCheckTest, AnErrorOfTheLibraryIsPassedOn) {
  const ir::LinearMap map = SampleDense(3, 4);
  const auto fails = [](const auto& x, bool) -> absl::StatusOr<std::decay_t<decltype(x)>> {
    return absl::CancelledError("stopped");
  };
  EXPECT_TRUE(absl::IsCancelled(CheckProducts(map, 4, fails, fails)));
}

}  // namespace
}  // namespace espalier::backend
