// What decides between splitting inputs and splitting neurons before anything was bounded.
#pragma once

#include <cstdint>

#include "verifier/bounds/plan.h"
#include "verifier/search/problem.h"

namespace espalier::search {

// Floating-point operations of CROWN bounds of one box, an upper estimate: two rows for every neuron, back to
// the input.
double BoxFlops(const bounds::Plan& plan);

// More free inputs are not worth halving.
inline constexpr int64_t kMaxFreeInputs = 24;

// The largest number of inputs that are free in the box of a target.
int64_t MostFreeInputs(const Problem& problem);

}  // namespace espalier::search
