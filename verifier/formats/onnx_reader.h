// ONNX bytes -> ir::Graph. Uses only the protobuf message classes; never libonnx's loader or checker, never a
// file path. External data is refused wherever a tensor can stand. Untrusted input: every size is checked
// before it is used, nothing aborts.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/ir/graph.h"

namespace espalier::formats {

struct OnnxLimits {
  int64_t bytes = int64_t{2} << 30;
  int64_t nodes = 200'000;
  int64_t elements = int64_t{1} << 29;  // of all initialisers together
  int64_t rank = 16;
};

// Structure, attributes, initialisers (in the file's element type), declared input shapes; shapes are
// inferred later by ops::Prepare. Errors: INVALID_ARGUMENT (not ONNX, truncated, duplicate or missing names,
// cyclic, sizes that do not match, NaN weights: names the tensor or node), UNIMPLEMENTED (external data,
// subgraphs, opset outside 7..21), RESOURCE_EXHAUSTED (over a limit).
absl::StatusOr<ir::Graph> ReadOnnx(std::string_view bytes, const OnnxLimits& limits = {});

}  // namespace espalier::formats
