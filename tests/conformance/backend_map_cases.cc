#include "tests/conformance/backend_map_cases.h"

#include <cmath>
#include <variant>

namespace espalier::backend {

ir::LinearMap Dense(testing::Random& random, int64_t rows, int64_t cols, double density) {
  ir::DenseMap map{rows, cols, random.Normals(rows * cols, 1.0)};
  for (double& w : map.weights) {
    if (density < 1.0 && !random.Chance(density)) w = 0;
  }
  return map;
}

ir::LinearMap Conv(testing::Random& random, const ConvShape& s, bool transposed) {
  ir::ConvMap map;
  map.big_h = s.big_h, map.big_w = s.big_w, map.big_c = s.big_c, map.small_c = s.small_c;
  map.kernel_h = s.kernel_h, map.kernel_w = s.kernel_w;
  map.stride_h = s.stride_h, map.stride_w = s.stride_w;
  map.pad_top = s.pad_top, map.pad_left = s.pad_left;
  map.dilation_h = s.dilation_h, map.dilation_w = s.dilation_w;
  map.small_h = (s.big_h + s.pad_top + s.pad_bottom - s.dilation_h * (s.kernel_h - 1) - 1) / s.stride_h + 1;
  map.small_w = (s.big_w + s.pad_left + s.pad_right - s.dilation_w * (s.kernel_w - 1) - 1) / s.stride_w + 1;
  map.transposed = transposed;
  map.kernel = random.Normals(s.small_c * s.kernel_h * s.kernel_w * s.big_c, 1.0);
  return map;
}

namespace {

// Enough channels for kernels that fill vectors with them.
std::vector<std::pair<std::string, ConvShape>> WideConvShapes() {
  return {
      {"conv wide",
       {.big_h = 8,
        .big_w = 8,
        .big_c = 16,
        .small_c = 33,
        .kernel_h = 3,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 2,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1}},
      {"conv wide, uneven pads, dilated",
       {.big_h = 9,
        .big_w = 10,
        .big_c = 9,
        .small_c = 10,
        .kernel_h = 3,
        .kernel_w = 4,
        .stride_h = 2,
        .stride_w = 1,
        .pad_top = 2,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 2,
        .dilation_h = 2,
        .dilation_w = 1}},
  };
}

}  // namespace

std::vector<std::pair<std::string, ConvShape>> ConvShapes() {
  std::vector<std::pair<std::string, ConvShape>> shapes = {
      {"conv 1x1", {4, 3, 2, 5, 1, 1}},
      {"conv 3x3 same",
       {.big_h = 6,
        .big_w = 5,
        .big_c = 3,
        .small_c = 4,
        .kernel_h = 3,
        .kernel_w = 3,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 1,
        .pad_right = 1}},
      {"conv stride 2, uneven pads",
       {.big_h = 9,
        .big_w = 8,
        .big_c = 3,
        .small_c = 6,
        .kernel_h = 5,
        .kernel_w = 4,
        .stride_h = 2,
        .stride_w = 2,
        .pad_top = 1,
        .pad_left = 1,
        .pad_bottom = 2,
        .pad_right = 2}},
      {"conv stride 3, unused border",
       {.big_h = 11,
        .big_w = 10,
        .big_c = 1,
        .small_c = 2,
        .kernel_h = 2,
        .kernel_w = 3,
        .stride_h = 3,
        .stride_w = 3}},
      {"conv dilated",
       {.big_h = 9,
        .big_w = 10,
        .big_c = 2,
        .small_c = 3,
        .kernel_h = 3,
        .kernel_w = 2,
        .stride_h = 1,
        .stride_w = 2,
        .pad_top = 2,
        .pad_left = 1,
        .pad_bottom = 2,
        .pad_right = 0,
        .dilation_h = 2,
        .dilation_w = 3}},
      {"conv 1-D",
       {.big_h = 1,
        .big_w = 30,
        .big_c = 2,
        .small_c = 5,
        .kernel_h = 1,
        .kernel_w = 5,
        .stride_w = 2,
        .pad_left = 2,
        .pad_right = 1}},
      {"conv to one pixel", {.big_h = 5, .big_w = 4, .big_c = 2, .small_c = 7, .kernel_h = 5, .kernel_w = 4}},
  };
  for (const auto& wide : WideConvShapes()) shapes.push_back(wide);
  return shapes;
}

ir::LinearMap Absolute(ir::LinearMap map) {
  const auto absolute = [](std::vector<double>& values) {
    for (double& v : values) v = std::fabs(v);
  };
  if (auto* m = std::get_if<ir::DenseMap>(&map)) absolute(m->weights);
  if (auto* m = std::get_if<ir::ConvMap>(&map)) absolute(m->kernel);
  if (auto* m = std::get_if<ir::SparseMap>(&map)) absolute(m->value);
  if (auto* m = std::get_if<ir::ScaleMap>(&map)) absolute(m->scale);
  return map;
}

void Expected(const ir::LinearMap& map, LoopFunction loop, int64_t rows, const std::vector<double>& in,
              std::vector<double>& out, std::vector<double>& magnitude) {
  const ir::LinearMap absolute = Absolute(map);
  std::vector<double> absolute_in(in);
  for (double& v : absolute_in) v = std::fabs(v);
  const size_t n = in.size() / static_cast<size_t>(rows), m = out.size() / static_cast<size_t>(rows);
  for (double& v : magnitude) v = std::fabs(v);
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    loop(map, in.data() + r * n, out.data() + r * m);
    loop(absolute, absolute_in.data() + r * n, magnitude.data() + r * m);
  }
}

}  // namespace espalier::backend
