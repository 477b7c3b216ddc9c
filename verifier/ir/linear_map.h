// LinearMap: one linear function between two neuron vectors, y = W x, kept in its structured form.
//
// Vectors are flat; image-shaped ones are channels-last (h, w, c). Coefficients are double: lowering folds
// constants in double, and a float32 engine rounds its own copy. Maps are immutable and shared.
//
// Backward bound propagation uses the transpose: Λ_in = Λ_out · W.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

namespace espalier::ir {

struct IdentityMap {
  int64_t size = 0;
};

// y_i = scale_i * x_i
struct ScaleMap {
  std::vector<double> scale;
};

// W row-major [rows = outputs][cols = inputs].
struct DenseMap {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<double> weights;
};

// Geometry of a 2-D convolution from a `big` image to a `small` one (1-D: height 1). Group count is 1;
// grouped convolutions lower to SparseMap. kernel layout: [c_small][kernel_h][kernel_w][c_big].
//   transposed == false: x is the big image, y the small one:
//     y[p,q,o] = sum_{i,j,c} kernel[o][i][j][c] * x[p*stride_h - pad_top + i*dilation_h, ..., c]
//   transposed == true:  x is the small image, y the big one (ConvTranspose): the adjoint of the above.
// Positions outside the big image contribute nothing (zero padding).
struct ConvMap {
  int64_t big_h = 0, big_w = 0, big_c = 0;
  int64_t small_h = 0, small_w = 0, small_c = 0;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  int64_t dilation_h = 1, dilation_w = 1;
  bool transposed = false;
  std::vector<double> kernel;
};

// Compressed sparse rows: y_i = sum over k in [row_begin[i], row_begin[i+1]) of value[k] * x[column[k]].
// Gather, permutation, padding, pooling averages, upsampling, concatenation and grouped convolutions.
struct SparseMap {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<int64_t> row_begin;  // rows + 1 entries
  std::vector<int32_t> column;
  std::vector<double> value;
};

using LinearMap = std::variant<IdentityMap, ScaleMap, DenseMap, ConvMap, SparseMap>;
using LinearMapPtr = std::shared_ptr<const LinearMap>;

int64_t InputSize(const LinearMap& map);
int64_t OutputSize(const LinearMap& map);

// Plain double loops, for tests, constant folding and the oracle. Sizes must match (checked by assert).
//   Apply:           y += W x
//   ApplyTransposed: x += W^T y
void Apply(const LinearMap& map, const double* x, double* y);
void ApplyTransposed(const LinearMap& map, const double* y, double* x);

// Upper bound on sum_j |W_ij| * magnitude_j for every output i: the scale of rounding errors.
std::vector<double> AbsApply(const LinearMap& map, const std::vector<double>& magnitude);

}  // namespace espalier::ir
