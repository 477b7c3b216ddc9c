// Replays a candidate counterexample on the ORIGINAL graph, independently of bounds and search.
//
// In double: the point must lie inside the exact box of a disjunct and every row of the disjunct must hold.
// In float32: the nearest float32 point inside the box (next-after towards the inside); where an input
// interval holds no float32 value, the nearest float32, and the witness is marked `rounded`. Both must
// violate. Rows are decided without rounding errors and without tolerance; strict bounds and rows strictly.
//
//   std::optional<api::Witness> witness = ReplayWitness(graph, property, candidate);
//   if (witness) return api::Verdict::Falsified(*std::move(witness));
#pragma once

#include <optional>

#include "absl/types/span.h"
#include "verifier/api/property.h"
#include "verifier/api/verdict.h"
#include "verifier/ir/graph.h"

namespace espalier::check {

struct Replay {
  std::optional<api::Witness> witness;  // set when both evaluations violate
  // Smallest row slack over both evaluations of the best disjunct tried (see ViolationMargin); for polishing.
  double margin = 0;
  // The margin exceeds the difference of the two evaluations twice, and a float32 rounding of the row:
  // another float32 evaluation (ONNX Runtime sums in another order) will agree. Search polishes until this is
  // true or stops getting better; a witness that is not robust is still one.
  bool robust = false;
};

// `input` in ONNX order; it is clamped to the boxes that are nearest to it (those that contain it, if any
// does). Of the disjuncts that are violated, the first robust one is preferred. witness.input lies inside the
// exact box and gives the replayed float32 point when it is cast; witness.output is the model's own. A model
// with double inputs is replayed at the same double point in its own arithmetic. Nothing is found for NaN in
// the input, wrong sizes, or a graph that does not evaluate. Thread-safe; the graph must be prepared.
Replay ReplayCandidate(const ir::Graph& graph, const api::Property& property, absl::Span<const double> input);

// The witness of ReplayCandidate.
std::optional<api::Witness> ReplayWitness(const ir::Graph& graph, const api::Property& property,
                                          absl::Span<const double> input);

}  // namespace espalier::check
