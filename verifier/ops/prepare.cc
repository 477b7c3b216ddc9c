// Prepare: one walk over the nodes that infers shapes, folds constants and collects what is not supported.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/ops/elements.h"
#include "verifier/ops/op_table.h"
#include "verifier/ops/ops.h"

namespace espalier::ops {
namespace {

using ir::Graph;
using ir::GraphNode;
using ir::GraphValue;
using ir::UnsupportedNode;
using ir::ValueId;

constexpr int64_t kMaxElements = int64_t{1} << 31;  // of one value
constexpr int64_t kMaxFolded = int64_t{1} << 27;    // elements of all folded constants together
constexpr int64_t kMaxFoldWork = 20'000'000'000;    // multiply-adds of all folded nodes together

absl::Status Malformed(const std::string& what) {
  return absl::InvalidArgumentError(what);
}

// Whether the output is known from the input's shape alone.
bool DependsOnShapeOnly(const std::string& op) {
  return op == "Shape" || op == "Size";
}

class Preparer {
 public:
  explicit Preparer(Graph& graph) : graph_(graph), known_(graph.values.size(), false) {}

  absl::StatusOr<std::vector<UnsupportedNode>> Run() {
    ESPALIER_RETURN_IF_ERROR(CheckIds());
    DropUnusedNodes();
    ESPALIER_RETURN_IF_ERROR(StartValues());
    std::vector<GraphNode> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (GraphNode& node : nodes) {
      ESPALIER_ASSIGN_OR_RETURN(const bool folded, Visit(node));
      if (!folded) graph_.nodes.push_back(std::move(node));
    }
    for (ValueId output : graph_.outputs) {
      if (!known_[static_cast<size_t>(output)]) {
        return Malformed(absl::StrCat("nothing produces the graph output '", Value(output).name, "'"));
      }
    }
    ESPALIER_RETURN_IF_ERROR(CheckConstants());
    return std::move(unsupported_);
  }

 private:
  GraphValue& Value(ValueId id) { return graph_.values[static_cast<size_t>(id)]; }
  bool InRange(ValueId id) const { return id >= 0 && static_cast<size_t>(id) < graph_.values.size(); }

  absl::Status CheckIds() {
    for (const GraphNode& node : graph_.nodes) {
      for (const auto* ids : {&node.inputs, &node.outputs}) {
        for (ValueId id : *ids) {
          if (id != ir::kNoValue && !InRange(id))
            return Malformed(absl::StrCat("node '", node.name, "': value out of range"));
        }
      }
    }
    for (const auto* ids : {&graph_.inputs, &graph_.outputs}) {
      for (ValueId id : *ids) {
        if (!InRange(id)) return Malformed("graph input or output out of range");
      }
    }
    return absl::OkStatus();
  }

  // A node that reaches no output decides nothing, so it need not be supported either.
  void DropUnusedNodes() {
    std::vector<bool> needed(graph_.values.size(), false);
    for (ValueId output : graph_.outputs) needed[static_cast<size_t>(output)] = true;
    std::vector<GraphNode> kept;
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      GraphNode& node = graph_.nodes[i];
      bool used = false;
      for (ValueId id : node.outputs) used = used || (id != ir::kNoValue && needed[static_cast<size_t>(id)]);
      if (!used) continue;
      for (ValueId id : node.inputs) {
        if (id != ir::kNoValue) needed[static_cast<size_t>(id)] = true;
      }
      kept.push_back(std::move(node));
    }
    graph_.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  }

  absl::Status StartValues() {
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      GraphValue& value = graph_.values[i];
      if (!value.constant.has_value()) continue;
      if (ElementCount(value.constant->shape) != value.constant->size()) {
        return Malformed(absl::StrCat("tensor '", value.name, "': its shape does not match its data"));
      }
      value.shape = value.constant->shape;
      value.type = value.constant->type;
      known_[i] = true;
    }
    for (ValueId id : graph_.inputs) {
      if (known_[static_cast<size_t>(id)]) {
        return Malformed(absl::StrCat("graph input '", Value(id).name, "' is given twice"));
      }
      known_[static_cast<size_t>(id)] = true;
      BindInput(Value(id));
    }
    return absl::OkStatus();
  }

  // The leading dimension is the batch; whatever stands there without a size is 1.
  void BindInput(GraphValue& value) {
    std::string reason;
    if (!value.shape.has_value()) reason = "it has no declared shape";
    if (value.type == ElementType::kOther) reason = "its element type is not supported";
    for (size_t d = 0; value.shape.has_value() && d < value.shape->size(); ++d) {
      int64_t& extent = (*value.shape)[d];
      if (extent > 0) continue;
      if (d == 0) {
        extent = 1;
      } else {
        reason = absl::StrCat("its dimension ", d, " has no static size");
      }
    }
    if (reason.empty() && !ElementCount(*value.shape, kMaxElements).has_value()) reason = "it is too large";
    if (reason.empty()) return;
    value.shape.reset();
    unsupported_.push_back({value.name, "Input", reason});
  }

  // Infers and, where possible, folds one node. True: folded away.
  absl::StatusOr<bool> Visit(const GraphNode& node) {
    bool shapes_known = true, constant = true;
    for (ValueId id : node.inputs) {
      if (id == ir::kNoValue) continue;
      if (!known_[static_cast<size_t>(id)]) {
        return Malformed(absl::StrCat("node '", node.name, "': its input '", Value(id).name,
                                      "' is produced by no earlier node"));
      }
      shapes_known = shapes_known && Value(id).shape.has_value();
      constant = constant && Value(id).constant.has_value();
    }
    for (ValueId id : node.outputs) {
      if (id == ir::kNoValue) continue;
      if (known_[static_cast<size_t>(id)]) {
        return Malformed(
            absl::StrCat("node '", node.name, "': its output '", Value(id).name, "' is produced twice"));
      }
      known_[static_cast<size_t>(id)] = true;
      Value(id).shape.reset();
    }
    const OpRow* row = FindOp(node.op, node.domain);
    if (row == nullptr) return Refuse(node, "the operator is not supported");
    if (!shapes_known) return false;
    return Apply(node, *row, constant || DependsOnShapeOnly(node.op));
  }

  absl::StatusOr<bool> Apply(const GraphNode& node, const OpRow& row, bool fold) {
    const OpContext context(graph_, node);
    ESPALIER_RETURN_IF_ERROR(CheckInputCount(context, row));
    ESPALIER_RETURN_IF_ERROR(CheckAttributes(context));
    const auto outputs = row.infer(context);
    if (!outputs.ok()) return RefuseOrFail(context, outputs.status());
    if (node.outputs.size() > outputs->size()) return Refuse(node, "one of its outputs is not supported");
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const OutputInfo& info = (*outputs)[i];
      const auto count = ElementCount(info.shape, kMaxElements);
      if (!count.has_value())
        return Refuse(node, absl::StrCat("its output ", ShapeToString(info.shape), " is too large"));
      if (*count == 0 && !fold) return Refuse(node, "its output is empty");
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == ir::kNoValue) continue;
      Value(node.outputs[i]).type = (*outputs)[i].type;
      Value(node.outputs[i]).shape = (*outputs)[i].shape;
    }
    return fold ? Fold(context, row) : false;
  }

  absl::Status CheckInputCount(const OpContext& context, const OpRow& row) {
    const int count = context.input_count();
    if (count < row.min_inputs || count > row.max_inputs) {
      return context.Invalid(absl::StrCat("it has ", count, " inputs"));
    }
    for (int i = 0; i < row.min_inputs; ++i) {
      if (!context.HasInput(i)) return context.Invalid(absl::StrCat("input ", i, " is missing"));
    }
    if (context.node().outputs.empty()) return context.Invalid("it has no output");
    return absl::OkStatus();
  }

  // Only a Clip may say "no bound" with an infinity.
  absl::Status CheckAttributes(const OpContext& context) {
    for (const auto& [name, attribute] : context.node().attributes) {
      const double* number = std::get_if<double>(&attribute);
      if (number == nullptr || std::isfinite(*number)) continue;
      if (std::isnan(*number) || context.node().op != "Clip") {
        return context.Invalid(absl::StrCat("attribute '", name, "' is not finite"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Fold(const OpContext& context, const OpRow& row) {
    const GraphNode& node = context.node();
    int64_t largest_input = 1;
    std::vector<const Tensor*> inputs;
    for (int i = 0; i < context.input_count(); ++i) {
      inputs.push_back(context.Constant(i));
      if (inputs.back() != nullptr) largest_input = std::max(largest_input, FoldWork(context, i));
    }
    for (ValueId id : node.outputs) {
      if (id == ir::kNoValue) continue;
      const int64_t count = *ElementCount(*Value(id).shape);
      folded_ += count;
      work_ += static_cast<double>(count) * static_cast<double>(largest_input);
    }
    if (folded_ > kMaxFolded || work_ > static_cast<double>(kMaxFoldWork)) {
      return absl::ResourceExhaustedError(absl::StrCat("node '", node.name, "' (", node.op,
                                                       "): computing the model's constants takes too much"));
    }
    auto results = row.evaluate(context, inputs);
    if (!results.ok()) return RefuseOrFail(context, results.status());
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != ir::kNoValue) Value(node.outputs[i]).constant = std::move((*results)[i]);
    }
    return true;
  }

  // Multiply-adds per output element that input i can cause.
  static int64_t FoldWork(const OpContext& context, int i) {
    const std::string& op = context.node().op;
    const Shape& shape = context.InputShape(i);
    if (op == "MatMul" || op == "Gemm") return i == 0 ? *std::max_element(shape.begin(), shape.end()) : 1;
    if (op == "Conv" || op == "ConvTranspose") return i == 1 ? *ElementCount(shape) : 1;
    if (op == "MaxPool" || op == "AveragePool") {
      const auto window = context.Ints("kernel_shape", {});
      return window.ok() ? ElementCount(*window).value_or(kMaxFoldWork) : 1;
    }
    return 1;
  }

  absl::StatusOr<bool> Refuse(const GraphNode& node, std::string reason) {
    unsupported_.push_back({node.name,
                            node.domain.empty() ? node.op : absl::StrCat(node.domain, ".", node.op),
                            std::move(reason)});
    return false;
  }

  absl::StatusOr<bool> RefuseOrFail(const OpContext& context, const absl::Status& status) {
    if (status.code() != absl::StatusCode::kUnimplemented) return status;
    const size_t prefix = context.Unsupported("").message().size();
    return Refuse(context.node(), std::string(status.message().substr(prefix)));
  }

  // What the remaining nodes compute with must be finite: a NaN weight would make every bound meaningless.
  absl::Status CheckConstants() {
    std::vector<bool> checked(graph_.values.size(), false);
    const auto check = [&](ValueId id, const std::string& user) -> absl::Status {
      if (id == ir::kNoValue || checked[static_cast<size_t>(id)]) return absl::OkStatus();
      checked[static_cast<size_t>(id)] = true;
      const auto& constant = Value(id).constant;
      if (!constant.has_value() || !IsFloat(constant->type)) return absl::OkStatus();
      for (int64_t i = 0; i < constant->size(); ++i) {
        if (!std::isfinite(constant->AsDouble(i))) {
          return Malformed(
              absl::StrCat(user, ": the constant '", Value(id).name, "' holds a non-finite number"));
        }
      }
      return absl::OkStatus();
    };
    for (const GraphNode& node : graph_.nodes) {
      for (ValueId id : node.inputs)
        ESPALIER_RETURN_IF_ERROR(check(id, absl::StrCat("node '", node.name, "'")));
    }
    for (ValueId id : graph_.outputs) ESPALIER_RETURN_IF_ERROR(check(id, "graph output"));
    return absl::OkStatus();
  }

  Graph& graph_;
  std::vector<bool> known_;  // values that have a producer so far
  std::vector<UnsupportedNode> unsupported_;
  int64_t folded_ = 0;
  double work_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<UnsupportedNode>> Prepare(Graph& graph) {
  return Preparer(graph).Run();
}

}  // namespace espalier::ops
