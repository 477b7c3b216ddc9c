// VNN-LIB 1.x text -> api::Property (the unsafe set).
//
//   auto property = formats::ReadVnnlib(text, network.input_size(), network.output_size());
//   if (!property.ok()) ...  // "line 7, column 12: 'X_9' is outside the network, which has 5 inputs"
//
// Accepted: declare-const / declare-fun of X_i and Y_i Reals; any number of asserts; and/or nesting of any
// depth over <=, >=, (strict < and > are read as <=, >= : a larger unsafe set, sound for unsat; rows and
// bounds are marked so that a witness satisfies them strictly, and a warning says so), = of linear terms in X
// and Y; + - * with constants, / by constants; decimals with exponents; ';' comments. Pure input constraints
// on single variables form boxes (per disjunct, equal ones stored once); linear constraints over several
// inputs, or over inputs and outputs, become rows with input coefficients. Comparisons of constants are
// decided. Disjuncts and their rows keep the order of the file. Every number is the nearest double of its
// decimal; arithmetic that the file asks for is done in double.
//
// Errors: INVALID_ARGUMENT "line L, column C: what" (unknown, undeclared or twice declared variable,
// unbalanced parenthesis, non-linear term, index outside the network, other numbers of inputs or outputs than
// the network has, nesting over 10000, non-finite number), "X_3 has no lower bound" (no place); UNIMPLEMENTED
// (VNN-LIB 2, not, =>, ...); RESOURCE_EXHAUSTED when the text or its disjunctive normal form exceeds a limit.
// A disjunct whose box is empty is left out with a warning; an input set that is empty gives no disjuncts and
// a warning. Files of 50 MB are read in one pass without recursion.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "verifier/api/property.h"

namespace espalier::formats {

struct VnnlibLimits {
  int64_t bytes = int64_t{512} << 20;
  int64_t max_disjuncts = 1'000'000;       // empty ones count too
  int64_t max_numbers = int64_t{1} << 26;  // bounds and coefficients of the property: half a gigabyte
};

absl::StatusOr<api::Property> ReadVnnlib(std::string_view text, int64_t input_size, int64_t output_size,
                                         const VnnlibLimits& limits = {});

}  // namespace espalier::formats
