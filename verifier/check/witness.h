// Replays a candidate counterexample on the ORIGINAL graph, independently of bounds and search.
//
// In double: the point must lie inside the exact box of a disjunct and every row of the disjunct must hold by more than
// both evaluations' rounding allowance where that can be reached (see docs/soundness.md). In float32: the nearest float32
// point inside the box (next-after towards the inside); where an input interval holds no float32 value, the nearest
// float32, and the witness is marked `rounded`. Both must violate.
#pragma once

#include <optional>

#include "absl/types/span.h"
#include "verifier/api/property.h"
#include "verifier/api/verdict.h"
#include "verifier/ir/graph.h"

namespace espalier::check {

// `input` in ONNX order; values outside the box are clamped first. Returns the witness, or nullopt when the replay does
// not violate. Thread-safe; the graph must be prepared.
std::optional<api::Witness> ReplayWitness(const ir::Graph& graph, const api::Property& property,
                                          absl::Span<const double> input);

}  // namespace espalier::check
