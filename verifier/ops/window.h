// The geometry of sliding windows: convolution, transposed convolution, pooling.
//
// Everything is lifted to two spatial dimensions: index 0 is height, 1 is width; a 1-D operator has height 1
// (input, kernel, output 1, stride 1, no padding). auto_pad, output_shape and output_padding are resolved to
// plain numbers.
//
//   ESPALIER_ASSIGN_OR_RETURN(Window w, ConvWindow(context));
//   // output pixel (p, q) reads input rows p * stride[0] - pad_begin[0] + i * dilation[0], i < kernel[0]
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "verifier/ops/op_table.h"

namespace espalier::ops {

struct Window {
  int rank = 2;  // spatial dimensions of the operator: 1 or 2
  int64_t batch = 1, in_channels = 0, out_channels = 0, group = 1;
  std::array<int64_t, 2> input{1, 1}, output{1, 1};
  std::array<int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1}, pad_begin{0, 0}, pad_end{0, 0};

  // N, C, then the spatial dimensions of the output.
  Shape OutputShape() const;
};

// INVALID_ARGUMENT when sizes do not match, UNIMPLEMENTED for more than two spatial dimensions, negative pads
// and the like; both name the node. Conv weights are [out, in / group, kernel...], ConvTranspose weights [in,
// out / group, kernel...]; weight element order is as in ONNX.
absl::StatusOr<Window> ConvWindow(const OpContext& context);

// Adjoint geometry: input pixel (p, q) adds to output rows p * stride[0] - pad_begin[0] + i * dilation[0].
absl::StatusOr<Window> ConvTransposeWindow(const OpContext& context);

// MaxPool, AveragePool, and the Global forms (the whole image as one window). group == channels.
absl::StatusOr<Window> PoolWindow(const OpContext& context);

}  // namespace espalier::ops
