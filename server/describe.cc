#include "server/describe.h"

#include <algorithm>

#include "proto/convert.h"

namespace espalier::server {
namespace {

void Fill(const std::vector<TensorInfo>& infos, google::protobuf::RepeatedPtrField<v1::TensorInfo>& out) {
  for (const TensorInfo& info : infos) {
    v1::TensorInfo& tensor = *out.Add();
    tensor.set_name(info.name);
    tensor.set_element_type(info.element_type);
    tensor.mutable_shape()->Add(info.shape.begin(), info.shape.end());
  }
}

void Fill(const std::vector<double>& values, google::protobuf::RepeatedField<double>& out) {
  out.Add(values.begin(), values.end());
}

}  // namespace

v1::ModelDescription ToProto(const ModelDescription& description, const Blob& blob) {
  v1::ModelDescription message;
  message.set_name(description.name);
  message.set_opset(description.opset);
  Fill(description.inputs, *message.mutable_inputs());
  Fill(description.outputs, *message.mutable_outputs());
  for (const auto& [op, count] : description.operators) {
    v1::OperatorCount& entry = *message.add_operators();
    entry.set_op(op);
    entry.set_count(count);
  }
  message.set_parameters(description.parameters);
  for (const LayerInfo& info : description.layers) {
    v1::LayerInfo& layer = *message.add_layers();
    layer.set_name(info.name);
    layer.set_neurons(info.neurons);
    layer.set_hinges(info.hinges);
    layer.set_grafted(info.grafted);
  }
  for (const UnsupportedInfo& info : description.unsupported) {
    v1::UnsupportedNode& node = *message.add_unsupported();
    node.set_node(info.node);
    node.set_op(info.op);
    node.set_reason(info.reason);
  }
  message.set_sha256(blob.sha256);
  message.set_size(static_cast<int64_t>(blob.bytes.size()));
  return message;
}

v1::BoundsResponse ToProto(const BoundsReport& report) {
  v1::BoundsResponse message;
  Fill(report.output_lower, *message.mutable_output_lower());
  Fill(report.output_upper, *message.mutable_output_upper());
  for (const std::vector<double>& rows : report.row_lower)
    Fill(rows, *message.add_disjuncts()->mutable_lower());
  for (const LayerBounds& bounds : report.layers) {
    v1::LayerBounds& layer = *message.add_layers();
    layer.set_name(bounds.name);
    Fill(bounds.lower, *layer.mutable_lower());
    Fill(bounds.upper, *layer.mutable_upper());
    layer.mutable_onnx_index()->Add(bounds.onnx_index.begin(), bounds.onnx_index.end());
  }
  message.set_seconds(report.seconds);
  return message;
}

v1::GetCapabilitiesResponse CapabilitiesToProto(const Core& core) {
  const Capabilities capabilities = GetCapabilities();
  v1::GetCapabilitiesResponse message;
  message.set_version(capabilities.version);
  for (const std::string& device : capabilities.devices) message.add_devices(device);
  for (const std::string& op : capabilities.operators) message.add_operators(op);
  message.set_min_opset(capabilities.min_opset);
  message.set_max_opset(capabilities.max_opset);
  message.add_element_types("real");
  message.add_loaded_types("float32");
  message.add_loaded_types("float64");
  message.add_vnnlib_versions("1.0");
  message.set_processor(capabilities.processor);
  for (const api::OptionRow& row : api::OptionTable()) *message.add_options() = proto::ToProto(row);
  for (const api::OptionRow& row : api::TrainOptionTable())
    *message.add_train_options() = proto::ToProto(row);
  for (const api::OptionRow& row : api::GraftOptionTable())
    *message.add_graft_options() = proto::ToProto(row);
  message.set_max_message_bytes(kMaxMessageBytes);
  message.set_max_blob_bytes(std::min(kMaxBlobBytes, core.limits().blob_bytes));
  message.set_threads(core.EffectiveThreads(0));
  return message;
}

}  // namespace espalier::server
