#include "verifier/verifier.h"

#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "verifier/backend/cpu_onednn.h"
#include "verifier/base/status.h"
#include "verifier/device.h"
#include "verifier/formats/npy_reader.h"
#include "verifier/formats/onnx_reader.h"
#include "verifier/formats/vnnlib_reader.h"
#include "verifier/model_impl.h"
#include "verifier/ops/ops.h"

namespace espalier {
namespace {

std::vector<TensorInfo> DescribeTensors(const ir::Graph& graph, const std::vector<ir::ValueId>& ids) {
  std::vector<TensorInfo> infos;
  for (ir::ValueId id : ids) {
    const ir::GraphValue& value = graph.values[static_cast<size_t>(id)];
    infos.push_back({value.name, ElementTypeName(value.type), value.shape.value_or(Shape{})});
  }
  return infos;
}

// The file's own operators and parameters, so to be called before Prepare folds and adds constants.
void DescribeFile(const ir::Graph& graph, ModelDescription& description) {
  description.name = graph.name;
  description.opset = graph.opset;
  std::map<std::string, int64_t> counts;
  for (const ir::GraphNode& node : graph.nodes) {
    ++counts[node.domain.empty() ? node.op : absl::StrCat(node.domain, ".", node.op)];
    for (const auto& [name, attribute] : node.attributes) {
      if (const Tensor* tensor = std::get_if<Tensor>(&attribute)) {
        const bool floating = tensor->type == ElementType::kFloat32 || tensor->type == ElementType::kFloat64;
        if (floating) description.parameters += tensor->size();
      }
    }
  }
  description.operators.assign(counts.begin(), counts.end());
  for (const ir::GraphValue& value : graph.values) {
    const bool floating = value.type == ElementType::kFloat32 || value.type == ElementType::kFloat64;
    if (value.constant.has_value() && floating) description.parameters += value.constant->size();
  }
}

void DescribeLayers(const ir::Network& network, ModelDescription& description) {
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind != ir::NodeKind::kActivation) continue;
    description.layers.push_back(
        {node.name, node.size, ir::CountHinges(node.hinge), ir::CountGrafted(node.hinge)});
  }
}

// "node 'n' (Op): reason" -> its parts; a line of another form becomes the reason.
UnsupportedInfo ParseUnsupported(absl::string_view line) {
  UnsupportedInfo info;
  absl::string_view rest = line;
  if (absl::ConsumePrefix(&rest, "node '")) {
    const size_t quote = rest.find("' (");
    const size_t close = rest.find("): ", quote == absl::string_view::npos ? 0 : quote);
    if (quote != absl::string_view::npos && close != absl::string_view::npos) {
      info.node = std::string(rest.substr(0, quote));
      info.op = std::string(rest.substr(quote + 3, close - quote - 3));
      info.reason = std::string(rest.substr(close + 3));
      return info;
    }
  }
  info.reason = std::string(line);
  return info;
}

absl::Status UnsupportedStatus(const std::vector<UnsupportedInfo>& unsupported) {
  return absl::UnimplementedError(
      absl::StrJoin(unsupported, "\n", [](std::string* out, const UnsupportedInfo& info) {
        absl::StrAppend(out, "node '", info.node, "' (", info.op, "): ", info.reason);
      }));
}

int64_t FlatSize(const std::vector<TensorInfo>& tensors) {
  if (tensors.empty()) return 0;
  return ElementCount(tensors.front().shape).value_or(0);
}

std::string ProcessorName() {
  std::string name = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) name = line.substr(colon + 2);
    break;
  }
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return absl::StrCat(name, ", AVX-512");
  if (__builtin_cpu_supports("avx2")) return absl::StrCat(name, ", AVX2");
#endif
  return name;
}

}  // namespace

std::string_view Version() {
  return ESPALIER_VERSION;
}

absl::StatusOr<Model> Model::Load(std::string_view onnx_bytes) {
  auto impl = std::make_shared<Impl>();
  ESPALIER_ASSIGN_OR_RETURN(impl->graph, formats::ReadOnnx(onnx_bytes));
  ModelDescription& description = impl->description;
  DescribeFile(impl->graph, description);
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<ir::UnsupportedNode> unsupported, ops::Prepare(impl->graph));
  description.inputs = DescribeTensors(impl->graph, impl->graph.inputs);
  description.outputs = DescribeTensors(impl->graph, impl->graph.outputs);
  if (!unsupported.empty()) {
    for (const ir::UnsupportedNode& node : unsupported) {
      description.unsupported.push_back({node.node, node.op, node.reason});
    }
    impl->lowering_status = impl->evaluation_status = UnsupportedStatus(description.unsupported);
  } else if (absl::StatusOr<ir::Network> network = ops::Lower(impl->graph); network.ok()) {
    DescribeLayers(*network, description);
    impl->network = *std::move(network);
  } else if (network.status().code() == absl::StatusCode::kUnimplemented) {
    impl->lowering_status = network.status();
    for (absl::string_view line : absl::StrSplit(network.status().message(), '\n', absl::SkipEmpty())) {
      description.unsupported.push_back(ParseUnsupported(line));
    }
  } else {
    return network.status();
  }
  Model model;
  model.impl_ = std::move(impl);
  return model;
}

const ModelDescription& Model::Describe() const {
  return impl_->description;
}
int64_t Model::input_size() const {
  return FlatSize(impl_->description.inputs);
}
int64_t Model::output_size() const {
  return FlatSize(impl_->description.outputs);
}

absl::StatusOr<std::vector<double>> Model::Evaluate(absl::Span<const double> input, bool float64) const {
  ESPALIER_RETURN_IF_ERROR(impl_->evaluation_status);
  if (static_cast<int64_t>(input.size()) != input_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the input has ", input.size(), " elements, the model takes ", input_size()));
  }
  return ops::EvaluateFlat(impl_->graph, std::vector<double>(input.begin(), input.end()),
                           float64 ? ops::Precision::kFloat64 : ops::Precision::kModel);
}

absl::StatusOr<api::Property> ReadQuery(const Model& model, std::string_view vnnlib_text) {
  ESPALIER_RETURN_IF_ERROR(model.impl().evaluation_status);
  return formats::ReadVnnlib(vnnlib_text, model.input_size(), model.output_size());
}

absl::StatusOr<Tensor> ReadArray(std::string_view npy_bytes) {
  return formats::ReadNpy(npy_bytes);
}
absl::StatusOr<std::string> WriteArray(const Tensor& tensor) {
  return formats::WriteNpy(tensor);
}

Capabilities GetCapabilities() {
  Capabilities capabilities;
  capabilities.version = std::string(Version());
  capabilities.devices = DeviceNames();
  capabilities.operators = ops::SupportedOperators();
  capabilities.processor = ProcessorName();
  return capabilities;
}

void PrepareLibraries() {
  backend::PrepareSgemm();
}

}  // namespace espalier
