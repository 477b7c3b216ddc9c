#include "verifier/backend/product_check.h"

#include <cmath>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ir/map_forms.h"

namespace espalier::backend {
namespace {

// Exact in float32.
std::vector<double> Patterns(int64_t count, int64_t from) {
  std::vector<double> values;
  for (int64_t i = from; i < from + count; ++i)
    values.push_back(static_cast<double>(static_cast<float>(std::sin(static_cast<double>(i) * 0.7 + 0.3))));
  return values;
}

std::vector<double> ByLoops(const ir::LinearMap& map, const std::vector<double>& x, bool forward) {
  const int64_t from = forward ? ir::InputSize(map) : ir::OutputSize(map);
  const int64_t to = forward ? ir::OutputSize(map) : ir::InputSize(map);
  std::vector<double> y(static_cast<size_t>(kCheckedRows * to), 0.0);
  for (int64_t r = 0; r < kCheckedRows; ++r) {
    (forward ? ir::Apply : ir::ApplyTransposed)(map, x.data() + r * from, y.data() + r * to);
  }
  return y;
}

template <class T>
absl::Status Compare(const std::vector<T>& actual, const std::vector<double>& expected,
                     const std::vector<double>& allowed) {
  for (size_t i = 0; i < expected.size(); ++i) {
    // Written so that NaN fails.
    if (std::fabs(static_cast<double>(actual[i]) - expected[i]) <= allowed[i]) continue;
    return absl::InternalError(absl::StrCat("an element of a product of ", sizeof(T) * 8, " bits is ",
                                            actual[i], ", should be ", expected[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckProducts(const ir::LinearMap& map, int64_t longest_sum, Product<float> f32,
                           Product<double> f64) {
  const ir::LinearMap magnitudes = ir::Absolute(map);
  for (const bool forward : {true, false}) {
    const std::vector<double> x =
        Patterns(kCheckedRows * (forward ? ir::InputSize(map) : ir::OutputSize(map)), 1);
    std::vector<double> sizes = x;
    for (double& v : sizes) v = std::fabs(v);
    // What a sum of products may lose in any order (docs/soundness.md, section 3), which is a quarter of what
    // TF32's ten bits of mantissa make of such a sum.
    const std::vector<double> expected = ByLoops(map, x, forward);
    std::vector<double> allowed = ByLoops(magnitudes, sizes, forward);
    for (double& v : allowed) v *= 0x1.0p-53 * static_cast<double>(longest_sum + 2);
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> wide, f64(x, forward));
    ESPALIER_RETURN_IF_ERROR(Compare(wide, expected, allowed));
    for (double& v : allowed) v *= 0x1.0p29;  // to float32's 2^-24
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<float> narrow, f32({x.begin(), x.end()}, forward));
    ESPALIER_RETURN_IF_ERROR(Compare(narrow, expected, allowed));
  }
  return absl::OkStatus();
}

ir::LinearMap SampleDense(int64_t rows, int64_t cols) {
  return ir::DenseMap{rows, cols, Patterns(rows * cols, 7)};
}

ir::LinearMap SampleConv() {
  ir::ConvMap m;
  m.big_h = m.big_w = 9, m.big_c = 8;
  m.small_h = m.small_w = 5, m.small_c = 16;
  m.kernel_h = m.kernel_w = 3;
  m.stride_h = m.stride_w = 2;
  m.pad_top = m.pad_left = 1;
  m.kernel = Patterns(16 * 9 * 8, 3);
  return m;
}

}  // namespace espalier::backend
