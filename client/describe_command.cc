#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/commands.h"
#include "client/model_text.h"

namespace espalier::client {
namespace {

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
