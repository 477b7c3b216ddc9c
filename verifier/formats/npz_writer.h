// Named arrays -> NumPy's .npz archive (stored, not deflated): the form of checkpoints.
//
//   auto bytes = formats::WriteNpz({{"weight", tensor}, {"velocity", other}});
//   auto back = formats::ReadNpzEntry(*bytes, "weight");  // the same bits
//
// numpy.load reads it as well. The same arrays give the same bytes: no time stands in the archive.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"

namespace espalier::formats {

// INVALID_ARGUMENT: a name that is empty, longer than 65000 bytes or there twice, or a tensor that WriteNpy
// refuses. RESOURCE_EXHAUSTED: 65535 arrays or more, or 4 GiB or more altogether.
absl::StatusOr<std::string> WriteNpz(const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace espalier::formats
