// Activation layers as ONNX operators: Relu, LeakyRelu or PRelu, with lines beside it where neurons are
// grafted.
#pragma once

#include <vector>

#include "verifier/formats/onnx_layout.h"
#include "verifier/ir/network.h"

namespace espalier::formats {

// y = Relu(x)·k + x·p + q with k = right - left, p = left, q = intercept; parts that are zero are left out.
// Neurons (s, 1, c) whose 1 - s is no float32 number take their slope from LeakyRelu or PRelu instead, which
// keeps it exact. `idle` marks neurons whose value does not matter: they become what their neighbours are.
FileValue WriteHinge(OnnxBuilder& builder, const FileValue& x, const ir::HingeLayer& hinge,
                     const std::vector<bool>& idle);

}  // namespace espalier::formats
