#include "verifier/formats/onnx_reader.h"

#include <cmath>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_proto.h"
#include "verifier/formats/onnx_tensor.h"

namespace espalier::formats {
namespace {

using ir::GraphNode;
using ir::ValueId;
using onnx::AttributeProto;

constexpr int kMinOpset = 7;
constexpr int kMaxOpset = 21;

absl::Status Invalid(const std::string& what) {
  return absl::InvalidArgumentError(what);
}
absl::Status Unsupported(const std::string& what) {
  return absl::UnimplementedError(what);
}

bool IsStandardDomain(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}

class GraphReader {
 public:
  GraphReader(const onnx::ModelProto& model, const OnnxLimits& limits)
      : model_(model), proto_(model.graph()), limits_(limits), elements_left_(limits.elements) {}

  absl::StatusOr<ir::Graph> Read() {
    ESPALIER_RETURN_IF_ERROR(ReadOpset());
    if (proto_.node_size() > limits_.nodes) {
      return absl::ResourceExhaustedError(absl::StrCat("the model has ", proto_.node_size(), " nodes"));
    }
    graph_.name = proto_.name();
    ESPALIER_RETURN_IF_ERROR(ReadInitialisers());
    ESPALIER_RETURN_IF_ERROR(ReadInputs());
    ESPALIER_RETURN_IF_ERROR(DeclareOutputs());
    for (int i = 0; i < proto_.node_size(); ++i) ESPALIER_RETURN_IF_ERROR(ReadNode(i));
    ESPALIER_RETURN_IF_ERROR(ReadOutputs());
    ESPALIER_RETURN_IF_ERROR(Sort());
    return std::move(graph_);
  }

 private:
  absl::Status ReadOpset() {
    for (const auto& import : model_.opset_import()) {
      if (!IsStandardDomain(import.domain())) continue;
      const int64_t version = import.version();
      if (graph_.opset != 0 && graph_.opset != version)
        return Invalid("two opset versions of the standard domain");
      if (version < kMinOpset || version > kMaxOpset) {
        return Unsupported(
            absl::StrCat("opset ", version, " is outside the supported ", kMinOpset, " to ", kMaxOpset));
      }
      graph_.opset = static_cast<int>(version);
    }
    if (graph_.opset == 0) return Unsupported("the model names no opset of the standard domain");
    for (const auto& function : model_.functions()) functions_.insert({function.domain(), function.name()});
    return absl::OkStatus();
  }

  // A value of this name that so far has no producer; INVALID_ARGUMENT when it has one.
  absl::StatusOr<ValueId> Produce(const std::string& name, const std::string& by) {
    if (name.empty()) return Invalid(absl::StrCat(by, " has no name"));
    const auto [it, added] = ids_.try_emplace(name, static_cast<ValueId>(graph_.values.size()));
    if (!added)
      return Invalid(absl::StrCat("the value '", name, "' is defined twice, the second time by ", by));
    graph_.values.emplace_back().name = name;
    return it->second;
  }

  absl::StatusOr<Tensor> ReadLimited(const onnx::TensorProto& proto, const std::string& name) {
    if (proto.dims_size() > limits_.rank)
      return Unsupported(absl::StrCat("tensor '", name, "': its rank is too high"));
    ESPALIER_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(proto, name, elements_left_));
    elements_left_ -= tensor.size();
    ESPALIER_RETURN_IF_ERROR(CheckNumbers(tensor, name));
    return tensor;
  }

  static absl::Status CheckNumbers(const Tensor& tensor, const std::string& name) {
    const auto has_nan = [](const auto& values) {
      for (const auto value : values) {
        if (std::isnan(static_cast<double>(value))) return true;
      }
      return false;
    };
    if (std::visit(has_nan, tensor.data)) return Invalid(absl::StrCat("tensor '", name, "': it holds NaN"));
    return absl::OkStatus();
  }

  absl::Status ReadInitialisers() {
    if (proto_.sparse_initializer_size() > 0) {
      const std::string& name = proto_.sparse_initializer(0).values().name();
      return Unsupported(absl::StrCat("tensor '", name, "': sparse initialisers are not supported"));
    }
    for (const auto& initialiser : proto_.initializer()) {
      ESPALIER_ASSIGN_OR_RETURN(const ValueId id, Produce(initialiser.name(), "an initialiser"));
      ESPALIER_ASSIGN_OR_RETURN(Tensor tensor, ReadLimited(initialiser, initialiser.name()));
      ir::GraphValue& value = graph_.values[static_cast<size_t>(id)];
      value.type = tensor.type;
      value.shape = tensor.shape;
      value.constant = std::move(tensor);
    }
    return absl::OkStatus();
  }

  absl::Status ReadInputs() {
    std::set<std::string> seen;
    for (const auto& input : proto_.input()) {
      if (!seen.insert(input.name()).second) {
        return Invalid(absl::StrCat("the graph input '", input.name(), "' is declared twice"));
      }
      if (ids_.contains(input.name())) continue;  // an initialiser's declaration
      ESPALIER_ASSIGN_OR_RETURN(const ValueId id, Produce(input.name(), "a graph input"));
      ESPALIER_RETURN_IF_ERROR(ReadInputType(input, graph_.values[static_cast<size_t>(id)]));
      graph_.inputs.push_back(id);
    }
    return absl::OkStatus();
  }

  absl::Status ReadInputType(const onnx::ValueInfoProto& input, ir::GraphValue& value) {
    if (!input.type().has_tensor_type()) {
      return Unsupported(absl::StrCat("the graph input '", input.name(), "' is not a tensor"));
    }
    const auto& type = input.type().tensor_type();
    value.type = OnnxElementType(type.elem_type()).value_or(ElementType::kOther);
    // Half-precision *constants* widen without loss; half-precision arithmetic is not what is computed here.
    if (type.elem_type() == onnx::TensorProto::FLOAT16) value.type = ElementType::kOther;
    if (!type.has_shape()) return absl::OkStatus();
    if (type.shape().dim_size() > limits_.rank) {
      return Unsupported(absl::StrCat("the graph input '", input.name(), "' has too high a rank"));
    }
    Shape shape;
    for (const auto& dimension : type.shape().dim()) {
      shape.push_back(dimension.has_dim_value() && dimension.dim_value() > 0 ? dimension.dim_value() : -1);
    }
    value.shape = std::move(shape);
    return absl::OkStatus();
  }

  std::string NodeName(int i) const {
    const auto& node = proto_.node(i);
    return node.name().empty() ? absl::StrCat(node.op_type(), "_", i) : node.name();
  }

  // All node outputs first, so that nodes may stand in any order.
  absl::Status DeclareOutputs() {
    for (int i = 0; i < proto_.node_size(); ++i) {
      for (const std::string& name : proto_.node(i).output()) {
        if (name.empty()) continue;
        ESPALIER_ASSIGN_OR_RETURN(const ValueId id, Produce(name, absl::StrCat("node '", NodeName(i), "'")));
        producer_[id] = static_cast<size_t>(i);
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadNode(int i) {
    const auto& proto = proto_.node(i);
    GraphNode node;
    node.name = NodeName(i);
    node.op = proto.op_type();
    node.domain = IsStandardDomain(proto.domain()) ? "" : proto.domain();
    if (functions_.contains({proto.domain(), proto.op_type()})) {
      return Unsupported(absl::StrCat("node '", node.name, "' (", node.op,
                                      "): functions defined in the model are not supported"));
    }
    for (const std::string& name : proto.input()) {
      if (name.empty()) {
        node.inputs.push_back(ir::kNoValue);
        continue;
      }
      const auto it = ids_.find(name);
      if (it == ids_.end())
        return Invalid(absl::StrCat("node '", node.name, "': its input '", name, "' does not exist"));
      node.inputs.push_back(it->second);
    }
    while (!node.inputs.empty() && node.inputs.back() == ir::kNoValue) node.inputs.pop_back();
    for (const std::string& name : proto.output())
      node.outputs.push_back(name.empty() ? ir::kNoValue : ids_.at(name));
    while (!node.outputs.empty() && node.outputs.back() == ir::kNoValue) node.outputs.pop_back();
    for (const auto& attribute : proto.attribute()) {
      ESPALIER_RETURN_IF_ERROR(ReadAttribute(attribute, node));
    }
    graph_.nodes.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::Status ReadAttribute(const AttributeProto& proto, GraphNode& node) {
    const std::string where = absl::StrCat("node '", node.name, "', attribute '", proto.name(), "'");
    if (!proto.ref_attr_name().empty())
      return Invalid(absl::StrCat(where, ": a reference outside a function"));
    ir::Attribute value;
    switch (proto.type()) {
      case AttributeProto::INT:
        value = static_cast<int64_t>(proto.i());
        break;
      case AttributeProto::FLOAT:
        value = static_cast<double>(proto.f());
        break;
      case AttributeProto::STRING:
        value = proto.s();
        break;
      case AttributeProto::INTS:
        value = std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
        break;
      case AttributeProto::FLOATS:
        value = std::vector<double>(proto.floats().begin(), proto.floats().end());
        break;
      case AttributeProto::STRINGS:
        value = std::vector<std::string>(proto.strings().begin(), proto.strings().end());
        break;
      case AttributeProto::TENSOR: {
        const auto tensor = ReadLimited(proto.t(), absl::StrCat(node.name, ".", proto.name()));
        if (!tensor.ok()) return tensor.status();
        value = *tensor;
        break;
      }
      case AttributeProto::UNDEFINED:
        return Invalid(absl::StrCat(where, ": it has no type"));
      // Subgraphs, sparse tensors and the like: an empty list of strings, which no operator of the table
      // accepts where it means anything, so the node is refused and the rest of the model can still be
      // described.
      default:
        value = std::vector<std::string>();
        break;
    }
    if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isnan(*number)) {
      return Invalid(absl::StrCat(where, ": it is NaN"));
    }
    if (!node.attributes.emplace(proto.name(), std::move(value)).second)
      return Invalid(absl::StrCat(where, " occurs twice"));
    return absl::OkStatus();
  }

  absl::Status ReadOutputs() {
    if (proto_.output_size() == 0) return Invalid("the model has no output");
    for (const auto& output : proto_.output()) {
      const auto it = ids_.find(output.name());
      if (it == ids_.end())
        return Invalid(absl::StrCat("nothing produces the graph output '", output.name(), "'"));
      graph_.outputs.push_back(it->second);
    }
    return absl::OkStatus();
  }

  // Topological order, nearest to the file's own: of the nodes that are ready the first in the file comes
  // next.
  absl::Status Sort() {
    const size_t count = graph_.nodes.size();
    std::vector<size_t> missing(count, 0);
    std::vector<std::vector<size_t>> users(count);
    for (size_t i = 0; i < count; ++i) {
      for (ValueId id : graph_.nodes[i].inputs) {
        const auto it = producer_.find(id);
        if (it == producer_.end()) continue;
        users[it->second].push_back(i);
        ++missing[i];
      }
    }
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
    for (size_t i = 0; i < count; ++i) {
      if (missing[i] == 0) ready.push(i);
    }
    std::vector<GraphNode> sorted;
    sorted.reserve(count);
    while (!ready.empty()) {
      const size_t i = ready.top();
      ready.pop();
      sorted.push_back(std::move(graph_.nodes[i]));
      for (size_t user : users[i]) {
        if (--missing[user] == 0) ready.push(user);
      }
    }
    for (size_t i = 0; i < count && sorted.size() < count; ++i) {
      if (missing[i] != 0)
        return Invalid(absl::StrCat("node '", graph_.nodes[i].name, "' is part of or behind a cycle"));
    }
    graph_.nodes = std::move(sorted);
    return absl::OkStatus();
  }

  const onnx::ModelProto& model_;
  const onnx::GraphProto& proto_;
  const OnnxLimits& limits_;
  int64_t elements_left_;
  ir::Graph graph_;
  std::unordered_map<std::string, ValueId> ids_;
  std::unordered_map<ValueId, size_t> producer_;  // value -> node, in file order
  std::set<std::pair<std::string, std::string>> functions_;
};

}  // namespace

absl::StatusOr<ir::Graph> ReadOnnx(std::string_view bytes, const OnnxLimits& limits) {
  if (static_cast<int64_t>(bytes.size()) > limits.bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the model has ", bytes.size(), " bytes"));
  }
  onnx::ModelProto model;
  if (!ParseOnnxMessage(bytes, model)) return Invalid("these bytes are no ONNX model, or it is truncated");
  if (!model.has_graph()) return Invalid("the model has no graph");
  return GraphReader(model, limits).Read();
}

}  // namespace espalier::formats
