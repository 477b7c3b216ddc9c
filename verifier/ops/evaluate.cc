// Runs a prepared graph node by node.
#include <optional>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_table.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {
namespace {

// The values of one run: constants are referred to, everything else is owned.
class Run {
 public:
  Run(const ir::Graph& graph, Precision precision)
      : graph_(graph),
        widened_(precision == Precision::kFloat64),
        owned_(graph.values.size()),
        uses_left_(graph.values.size(), 0) {
    for (const ir::GraphNode& node : graph.nodes) {
      for (ir::ValueId id : node.inputs) {
        if (id != ir::kNoValue) ++uses_left_[static_cast<size_t>(id)];
      }
    }
    for (ir::ValueId id : graph.outputs) ++uses_left_[static_cast<size_t>(id)];
  }

  // Converts `tensor` to the element type the input has in this run.
  absl::Status SetInput(ir::ValueId id, const Tensor& tensor) {
    const ir::GraphValue& value = graph_.values[static_cast<size_t>(id)];
    if (!value.shape.has_value() || tensor.shape != *value.shape ||
        tensor.size() != ElementCount(tensor.shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", value.name, "' has shape ", ShapeToString(tensor.shape)));
    }
    if (IsFloat(value.type) != IsFloat(tensor.type) || (!IsFloat(value.type) && value.type != tensor.type)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", value.name, "' has element type ", ElementTypeName(tensor.type)));
    }
    owned_[static_cast<size_t>(id)] = AsType(tensor, TypeOf(value.type));
    return absl::OkStatus();
  }

  absl::Status Execute(const ir::GraphNode& node) {
    const OpRow* row = FindOp(node.op, node.domain);
    const OpContext context(graph_, node, widened_);
    if (row == nullptr) return context.Unsupported("the operator is not supported");
    std::vector<const Tensor*> inputs;
    for (ir::ValueId id : node.inputs) {
      inputs.push_back(id == ir::kNoValue ? nullptr : Get(id));
      if (id != ir::kNoValue && inputs.back() == nullptr) return context.Invalid("an input has no value");
    }
    ESPALIER_ASSIGN_OR_RETURN(std::vector<Tensor> outputs, row->evaluate(context, inputs));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != ir::kNoValue)
        owned_[static_cast<size_t>(node.outputs[i])] = std::move(outputs[i]);
    }
    for (ir::ValueId id : node.inputs) {
      if (id != ir::kNoValue && --uses_left_[static_cast<size_t>(id)] == 0)
        owned_[static_cast<size_t>(id)].reset();
    }
    return absl::OkStatus();
  }

  // nullptr when the value was never computed.
  const Tensor* Get(ir::ValueId id) {
    auto& slot = owned_[static_cast<size_t>(id)];
    if (slot.has_value()) return &*slot;
    const auto& constant = graph_.values[static_cast<size_t>(id)].constant;
    if (!constant.has_value()) return nullptr;
    if (TypeOf(constant->type) == constant->type) return &*constant;
    slot = AsType(*constant, TypeOf(constant->type));
    return &*slot;
  }

 private:
  ElementType TypeOf(ElementType type) const {
    return widened_ && type == ElementType::kFloat32 ? ElementType::kFloat64 : type;
  }

  static Tensor AsType(const Tensor& tensor, ElementType type) {
    if (tensor.type == type) return tensor;
    if (type == ElementType::kFloat64) return Tensor::FromDoubles(tensor.shape, tensor.ToDoubles());
    std::vector<float> values;
    values.reserve(static_cast<size_t>(tensor.size()));
    for (double value : tensor.ToDoubles()) values.push_back(static_cast<float>(value));
    return Tensor::FromFloats(tensor.shape, std::move(values));
  }

  const ir::Graph& graph_;
  bool widened_;
  std::vector<std::optional<Tensor>> owned_;
  std::vector<int> uses_left_;
};

}  // namespace

absl::StatusOr<std::vector<Tensor>> Evaluate(const ir::Graph& graph, const std::vector<Tensor>& inputs,
                                             Precision precision) {
  if (inputs.size() != graph.inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(inputs.size(), " inputs for a model that has ", graph.inputs.size()));
  }
  Run run(graph, precision);
  for (size_t i = 0; i < inputs.size(); ++i) {
    ESPALIER_RETURN_IF_ERROR(run.SetInput(graph.inputs[i], inputs[i]));
  }
  for (const ir::GraphNode& node : graph.nodes) ESPALIER_RETURN_IF_ERROR(run.Execute(node));
  std::vector<Tensor> outputs;
  for (ir::ValueId id : graph.outputs) {
    const Tensor* output = run.Get(id);
    if (output == nullptr) return absl::InvalidArgumentError("a graph output has no value");
    outputs.push_back(*output);
  }
  return outputs;
}

absl::StatusOr<std::vector<double>> EvaluateFlat(const ir::Graph& graph, const std::vector<double>& input,
                                                 Precision precision) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    return absl::UnimplementedError("the model must have one input and one output");
  }
  const ir::GraphValue& value = graph.values[static_cast<size_t>(graph.inputs[0])];
  if (!value.shape.has_value() || ElementCount(*value.shape) != static_cast<int64_t>(input.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(input.size(), " values for input '", value.name, "' of another size"));
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs,
                            Evaluate(graph, {Tensor::FromDoubles(*value.shape, input)}, precision));
  return outputs[0].ToDoubles();
}

}  // namespace espalier::ops
