// Lower: runs every node's lower function in order, collects what cannot be lowered, folds, checks.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "verifier/base/status.h"
#include "verifier/ops/fold.h"
#include "verifier/ops/lowering.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {
namespace {

size_t At(ir::ValueId id) {
  return static_cast<size_t>(id);
}

bool IsFloat(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat64;
}

absl::Status CheckInterface(const ir::Graph& graph) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    return absl::UnimplementedError(
        absl::StrCat("a network with one input and one output is needed; this one has ", graph.inputs.size(),
                     " and ", graph.outputs.size()));
  }
  for (ir::ValueId id : {graph.inputs[0], graph.outputs[0]}) {
    const ir::GraphValue& value = graph.values[At(id)];
    if (!IsFloat(value.type))
      return absl::UnimplementedError(absl::StrCat("'", value.name, "' is not floating-point"));
    if (!value.shape)
      return absl::InternalError(absl::StrCat("the shape of '", value.name, "' is not known"));
  }
  return absl::OkStatus();
}

// Nodes whose outputs the network's output needs.
std::vector<bool> NeededNodes(const ir::Graph& graph) {
  std::vector<bool> value_needed(graph.values.size(), false), needed(graph.nodes.size(), false);
  value_needed[At(graph.outputs[0])] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    for (ir::ValueId output : graph.nodes[i].outputs) {
      const bool used =
          output != ir::kNoValue && value_needed[At(output)] && !graph.values[At(output)].constant;
      needed[i] = needed[i] || used;
    }
    if (!needed[i]) continue;
    for (ir::ValueId input : graph.nodes[i].inputs) {
      if (input != ir::kNoValue) value_needed[At(input)] = true;
    }
  }
  return needed;
}

absl::Status LowerNode(const OpContext& context, Lowering& lowering) {
  const OpRow* row = FindOp(context.node().op, context.node().domain);
  if (row == nullptr) return context.Unsupported("unknown operator");
  if (row->lower == nullptr) return context.Unsupported("not piecewise linear in the input");
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.HasInput(i) || context.Constant(i) || lowering.Input(context, i).node >= 0) continue;
    return context.Unsupported(absl::StrCat("input ", i, " is an output that has no linear form"));
  }
  return row->lower(context, lowering);
}

// Stands in for the outputs of a node that cannot be lowered, so that the nodes behind it can still be
// checked.
void SetPlaceholders(const OpContext& context, Lowering& lowering) {
  for (size_t i = 0; i < context.node().outputs.size(); ++i) {
    const ir::ValueId id = context.node().outputs[i];
    if (id == ir::kNoValue || !context.graph().values[At(id)].shape) continue;
    const auto output = static_cast<int>(i);
    lowering.SetOutput(
        context, output,
        lowering.AddAffine("", {}, {}, lowering.OutputShape(context, output), Layout::kRowMajor));
  }
}

}  // namespace

absl::StatusOr<ir::Network> Lower(const ir::Graph& graph, LowerFor purpose) {
  ESPALIER_RETURN_IF_ERROR(CheckInterface(graph));
  if (const auto& constant = graph.values[At(graph.outputs[0])].constant; constant.has_value()) {
    return absl::UnimplementedError("the output does not depend on the input");
  }
  const std::vector<bool> needed = NeededNodes(graph);
  Lowering lowering(graph);
  std::vector<std::string> refused;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!needed[i]) continue;
    const OpContext context(graph, graph.nodes[i]);
    const absl::Status status = LowerNode(context, lowering);
    if (status.ok()) continue;
    if (!absl::IsUnimplemented(status)) return status;
    refused.emplace_back(status.message());
    SetPlaceholders(context, lowering);
  }
  if (!refused.empty()) return absl::UnimplementedError(absl::StrJoin(refused, "\n"));
  ESPALIER_ASSIGN_OR_RETURN(ir::Network network, lowering.Finish(graph.outputs[0]));
  Fold(network, {.keep_input_scale = purpose == LowerFor::kTraining});
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(network));
  return network;
}

}  // namespace espalier::ops
