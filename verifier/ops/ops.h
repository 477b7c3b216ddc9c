// Operators: one table row per ONNX operator (and per graft spelling's custom operator), and what the rest of
// the project does with a Graph through that table.
//
//   ir::Graph graph = ...;                       // from formats/onnx_reader
//   ops::Preparation prep = ops::Prepare(graph); // shapes, folded constants, what is unsupported
//   auto y = ops::Evaluate(graph, {x}, ops::Precision::kFloat32);
//   auto network = ops::Lower(graph);            // what the bound engine sees
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "verifier/base/tensor.h"
#include "verifier/ir/graph.h"
#include "verifier/ir/network.h"

namespace espalier::ops {

// kModel: each node computes in its own element type (float32 for most models), as ONNX Runtime does.
// kFloat64: all floating-point arithmetic in double on the stored weights, which is what bounds speak about.
enum class Precision { kModel, kFloat64 };

// Infers shapes (symbolic or missing batch dimensions become 1), folds constant subgraphs and checks
// attributes, in place. Returns every node that cannot be handled, in topological order; empty means the
// Graph's invariants hold. INVALID_ARGUMENT for a malformed model (cycle, missing value, sizes that do not
// match, non-finite constant), naming the node.
absl::StatusOr<std::vector<ir::UnsupportedNode>> Prepare(ir::Graph& graph);

// Runs a prepared graph. One tensor per graph input, in order, of the declared shapes. Returns the outputs.
absl::StatusOr<std::vector<Tensor>> Evaluate(const ir::Graph& graph, const std::vector<Tensor>& inputs,
                                             Precision precision);

// Convenience for verification (single input, single output): flat ONNX-order vectors in and out.
absl::StatusOr<std::vector<double>> EvaluateFlat(const ir::Graph& graph, const std::vector<double>& input,
                                                 Precision precision);

// Lowers a prepared graph with one floating-point input and one output to a Network: recognises graft
// spellings, lays images out channels-last, folds constants in double, folds adjacent affine maps where that
// lowers the work (exactly, also across zero padding: biases are per neuron), drops nodes and silences
// neurons without influence. UNIMPLEMENTED listing all nodes that evaluate but cannot be lowered (e.g.
// Sigmoid), one "node 'n' (Op): reason" a line.
// For training, a normalisation of the input stays a node of its own: weights behind it then learn as they
// did when the model was made, and folding it into the first layer is left to whoever bounds the result.
enum class LowerFor { kBounding, kTraining };
absl::StatusOr<ir::Network> Lower(const ir::Graph& graph, LowerFor purpose = LowerFor::kBounding);

// Operators of the standard domain that can be lowered, sorted; for `espalier supports --onnx-operators`.
std::vector<std::string> SupportedOperators();

}  // namespace espalier::ops
