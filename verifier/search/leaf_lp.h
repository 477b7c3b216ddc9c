// The leaf of the search: every hinge is fixed by bounds or splits, so the network is affine on the domain
// and the question is a linear program over the input box,
//     minimise t   subject to   every row's margin <= t,   sign · pre-activation >= 0 for every split.
// Its optimal point is a candidate counterexample; its duals become the domain's split multipliers and row
// weights, whose bound is then certified in float64 like any other. What the LP solver itself says is never
// believed.
//
// When neither decides, the input box is halved under the same splits: what rounded multipliers lose is in
// proportion to the box, and smaller programs are better conditioned. Depth first, the half with the
// program's optimum first, until a part of the smallest size stays undecided.
#pragma once

#include "absl/status/statusor.h"
#include "verifier/search/domain_batch.h"

namespace espalier::search {

enum class LeafEnd { kRefuted, kWitness, kUndecided };

// On return `domain` holds the weights and multipliers of the part that was looked at last. An undecided
// leaf's gap is noted in `run`.
absl::StatusOr<LeafEnd> DecideLeaf(Run& run, SharedRoot& root, Domain& domain);

}  // namespace espalier::search
