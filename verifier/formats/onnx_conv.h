// ConvMap as Conv, ConvTranspose or, for one matrix applied to every row of a table, MatMul.
#pragma once

#include <vector>

#include "verifier/formats/onnx_layout.h"
#include "verifier/ir/linear_map.h"

namespace espalier::formats {

// `bias` (null: none) is per neuron in stored order and the same at all pixels of a channel. `form` is the
// one that the result is wanted in; what comes back may have another.
FileValue WriteConv(OnnxBuilder& builder, const FileValue& x, const ir::ConvMap& map,
                    const ir::ImageShape& form, const std::vector<double>* bias);

}  // namespace espalier::formats
