#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"

namespace espalier::client {
namespace {

std::string TensorText(const v1::TensorInfo& tensor) {
  return absl::StrCat(tensor.name(), " ", tensor.element_type(), "[", absl::StrJoin(tensor.shape(), ","),
                      "]");
}

std::string DescriptionText(const v1::ModelDescription& model) {
  std::string text = absl::StrFormat("%s, opset %d, %d bytes, sha256 %s\n", model.name(), model.opset(),
                                     model.size(), model.sha256());
  for (const v1::TensorInfo& tensor : model.inputs())
    absl::StrAppend(&text, "input   ", TensorText(tensor), "\n");
  for (const v1::TensorInfo& tensor : model.outputs())
    absl::StrAppend(&text, "output  ", TensorText(tensor), "\n");
  absl::StrAppendFormat(&text, "%d parameters\n\noperators\n", model.parameters());
  for (const v1::OperatorCount& entry : model.operators()) {
    absl::StrAppendFormat(&text, "  %-24s %d\n", entry.op(), entry.count());
  }
  if (model.layers_size() > 0) {
    int64_t neurons = 0, hinges = 0, grafted = 0;
    absl::StrAppendFormat(&text, "\n%-40s %9s %9s %9s\n", "activation layers", "neurons", "hinges",
                          "grafted");
    for (const v1::LayerInfo& layer : model.layers()) {
      absl::StrAppendFormat(&text, "  %-38s %9d %9d %9d\n", layer.name(), layer.neurons(), layer.hinges(),
                            layer.grafted());
      neurons += layer.neurons();
      hinges += layer.hinges();
      grafted += layer.grafted();
    }
    absl::StrAppendFormat(&text, "  %-38s %9d %9d %9d\n", "together", neurons, hinges, grafted);
  }
  if (model.unsupported_size() > 0) {
    absl::StrAppendFormat(&text, "\nnot supported (%d)\n", model.unsupported_size());
    for (const v1::UnsupportedNode& node : model.unsupported()) {
      absl::StrAppend(&text, "  ", node.node(), " (", node.op(), "): ", node.reason(), "\n");
    }
  }
  return text;
}

nlohmann::ordered_json TensorJson(const google::protobuf::RepeatedPtrField<v1::TensorInfo>& tensors) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::TensorInfo& tensor : tensors) {
    list.push_back({{"name", tensor.name()},
                    {"element_type", tensor.element_type()},
                    {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())}});
  }
  return list;
}

std::string DescriptionJson(const v1::ModelDescription& model) {
  nlohmann::ordered_json json = {{"name", model.name()},
                                 {"opset", model.opset()},
                                 {"size", model.size()},
                                 {"sha256", model.sha256()},
                                 {"inputs", TensorJson(model.inputs())},
                                 {"outputs", TensorJson(model.outputs())},
                                 {"parameters", model.parameters()}};
  json["operators"] = nlohmann::ordered_json::object();
  for (const v1::OperatorCount& entry : model.operators()) json["operators"][entry.op()] = entry.count();
  json["layers"] = nlohmann::ordered_json::array();
  for (const v1::LayerInfo& layer : model.layers()) {
    json["layers"].push_back({{"name", layer.name()},
                              {"neurons", layer.neurons()},
                              {"hinges", layer.hinges()},
                              {"grafted", layer.grafted()}});
  }
  json["unsupported"] = nlohmann::ordered_json::array();
  for (const v1::UnsupportedNode& node : model.unsupported()) {
    json["unsupported"].push_back({{"node", node.node()}, {"op", node.op()}, {"reason", node.reason()}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

ExitCode RunDescribe(Connection& connection, const DescribeArguments& arguments) {
  v1::DescribeModelRequest request;
  const ExitCode sent =
      SendFile(connection, arguments.network, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model());
  if (sent != kDone) return sent;
  grpc::ClientContext context;
  connection.Prepare(context);
  v1::DescribeModelResponse response;
  const grpc::Status status = connection.stub().DescribeModel(&context, request, &response);
  if (!status.ok()) return ReportError(connection, status);
  const v1::ModelDescription& model = response.description();
  std::fputs((arguments.json ? DescriptionJson(model) : DescriptionText(model)).c_str(), stdout);
  return kDone;
}

}  // namespace espalier::client
