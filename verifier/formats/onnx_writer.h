// ir::Network -> ONNX bytes: what training and grafting hand out, and the folded form of any model.
//
//   auto bytes = formats::WriteOnnx(network, {.input_name = "X", .input_shape = {1, 3, 32, 32},
//                                             .output_name = "Y", .output_shape = {1, 10}});
//
// Standard operators only (opset 13, IR version 8), float32 initialisers rounded to nearest. Images are
// channels-last in the Network and NCHW in the file; input_order is undone at the input. Loading and lowering
// the file gives the network again: exactly so where its coefficients are float32 numbers; otherwise up to
// rounding, and the next round changes nothing. Names are numbered by operator and the bytes depend on
// nothing but the network and the settings, so two spellings of one model are written as the same file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"
#include "verifier/ir/network.h"

namespace espalier::formats {

struct WriteSettings {
  std::string input_name = "input";
  Shape input_shape = {};  // as the file declares it; empty: [1,c,h,w] of an image, else [1,size]
  std::string output_name = "output";
  Shape output_shape = {};  // likewise
  std::string graph_name = "espalier";
  std::string producer_version = {};
};

// The batch dimension is symbolic ("N") where both shapes start with 1 and have a second dimension. Sparse
// maps become gathered and scaled copies, or a matrix of at most 64 MiB.
// Errors: INVALID_ARGUMENT (shapes that do not fit the network; a coefficient that overflows float32: names
// the node), UNIMPLEMENTED (a sparse map with too many entries a row: names the node), RESOURCE_EXHAUSTED
// (the file would pass 2 GiB), INTERNAL (the network breaks its invariants).
absl::StatusOr<std::string> WriteOnnx(const ir::Network& network, const WriteSettings& settings);

}  // namespace espalier::formats
