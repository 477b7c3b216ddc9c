// Whether two networks are the same one: node by node, map by map, coefficient by coefficient.
#pragma once

#include <string>

#include "verifier/ir/network.h"

namespace espalier::testing {

// Empty when they are the same; else the first difference found. Names and `roundings` are not compared, nor
// is the order in which the inputs are stored (maps from the input are compared by ONNX element).
std::string NetworkDifference(const ir::Network& a, const ir::Network& b);

}  // namespace espalier::testing
