// Random dense maps and convolutions for the conformance suite, and their products by plain loops.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/backend_conformance.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

struct NamedMap {
  std::string name;
  ir::LinearMap map;
};

struct ConvShape {
  int64_t big_h, big_w, big_c, small_c, kernel_h, kernel_w;
  int64_t stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t dilation_h = 1, dilation_w = 1;
};

ir::LinearMap Dense(testing::Random& random, int64_t rows, int64_t cols, double density = 1.0);
ir::LinearMap Conv(testing::Random& random, const ConvShape& shape, bool transposed);
// Strides, dilations and paddings that differ on the four sides.
std::vector<std::pair<std::string, ConvShape>> ConvShapes();

// The map with |coefficients|.
ir::LinearMap Absolute(ir::LinearMap map);

using LoopFunction = void (*)(const ir::LinearMap&, const double*, double*);

// Product of every row by plain loops, and the scale of its rounding error: the same with absolute values.
void Expected(const ir::LinearMap& map, LoopFunction loop, int64_t rows, const std::vector<double>& in,
              std::vector<double>& out, std::vector<double>& magnitude);

// Each element within the rounding error of a sum of `longest` terms whose absolute values add to magnitude.
template <class T>
void ExpectClose(const std::vector<T>& actual, const std::vector<double>& expected,
                 const std::vector<double>& magnitude, int64_t longest) {
  for (size_t i = 0; i < actual.size(); ++i) {
    const double allowed = static_cast<double>(longest + 4) * Eps<T>() * magnitude[i];
    ASSERT_LE(std::fabs(static_cast<double>(actual[i]) - expected[i]), allowed) << "element " << i;
  }
}

}  // namespace espalier::backend
