// VNN-LIB 1.x text -> api::Property (the unsafe set).
//
// Accepted: declare-const / declare-fun of X_i and Y_i Reals; any number of asserts; and/or nesting of any depth
// over <=, >=, (strict < and > are read as <=, >= : a larger unsafe set, sound for unsat; recorded as a warning), =
// of linear terms in X and Y; + - * with constants, / by constants; decimals with exponents; ';' comments. Pure input
// constraints on single variables form boxes (per disjunct); linear constraints over several inputs, or over inputs
// and outputs, become rows with input coefficients.
//
// Errors: INVALID_ARGUMENT "line L, column C: what" (unknown variable, unbalanced parenthesis, non-linear term,
// unbounded input, index outside the network, nesting over 10000, non-finite number); RESOURCE_EXHAUSTED when the
// disjunctive normal form exceeds max_disjuncts. An input set that is empty gives no disjuncts and a warning.
// Files of 50 MB are read in one pass without recursion.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/api/property.h"

namespace espalier::formats {

struct VnnlibLimits {
  int64_t bytes = int64_t{512} << 20;
  int64_t max_disjuncts = 1'000'000;
};

absl::StatusOr<api::Property> ReadVnnlib(std::string_view text, int64_t input_size, int64_t output_size,
                                         const VnnlibLimits& limits = {});

}  // namespace espalier::formats
