// Formula -> api::Property: the disjunctive normal form of the asserts.
//
// The conjunctions are enumerated depth-first with one mutable box and a trail of what to undo, so that what
// the disjuncts share (a box of thousands of inputs, say) is applied once and only the result takes memory.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "verifier/api/property.h"
#include "verifier/formats/vnnlib_formula.h"

namespace espalier::formats {

struct ExpansionLimits {
  int64_t disjuncts = 0;  // counting those that turn out to be empty
  int64_t numbers = 0;    // bounds and coefficients of the result
};

// Disjuncts stand in the order of the file, and so do the rows of each; equal boxes are stored once.
// Contradictory disjuncts are left out, with a warning. INVALID_ARGUMENT naming the input that a disjunct
// leaves unbounded; RESOURCE_EXHAUSTED over a limit.
absl::StatusOr<api::Property> ExpandFormula(const Formula& formula, int64_t input_size, int64_t output_size,
                                            const ExpansionLimits& limits);

}  // namespace espalier::formats
