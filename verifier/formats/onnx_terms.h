// Linear maps as ONNX operators.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/formats/onnx_layout.h"
#include "verifier/ir/linear_map.h"

namespace espalier::formats {

struct MapRequest {
  const ir::LinearMap& map;
  ir::ImageShape form;              // of the result
  const std::vector<double>* bias;  // added to the result where not null; only where TakesBias
  std::string_view node;            // for errors
};

// Whether the operator that the map becomes can add this bias by itself.
bool TakesBias(const ir::LinearMap& map, const std::vector<double>& bias);

// Operators for map(x) + bias. UNIMPLEMENTED for a sparse map that is too large as a matrix and has too many
// entries a row for anything else.
absl::StatusOr<FileValue> WriteMap(OnnxBuilder& builder, const FileValue& x, const MapRequest& request);

}  // namespace espalier::formats
