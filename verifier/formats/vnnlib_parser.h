// VNN-LIB text -> Formula, in one pass and without recursion.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/formats/vnnlib_formula.h"

namespace espalier::formats {

// Sizes must be non-negative and their sum below 2^31. Errors carry line and column: INVALID_ARGUMENT for
// what is not VNN-LIB or does not fit the network, UNIMPLEMENTED for VNN-LIB 2 and for logic beyond and/or,
// RESOURCE_EXHAUSTED when linear terms take more than about 10^9 steps.
absl::StatusOr<Formula> ParseVnnlib(std::string_view text, int64_t input_size, int64_t output_size);

}  // namespace espalier::formats
