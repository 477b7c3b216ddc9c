// Small ONNX models as bytes, for the reader's tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "verifier/formats/onnx_proto.h"
#include "verifier/formats/onnx_reader.h"

namespace espalier::formats {

class OnnxModel {
 public:
  OnnxModel() {
    proto.set_ir_version(8);
    auto* opset = proto.add_opset_import();
    opset->set_domain("");
    opset->set_version(13);
    graph().set_name("g");
  }

  onnx::GraphProto& graph() { return *proto.mutable_graph(); }

  void Input(const std::string& name, const std::vector<int64_t>& shape) {
    auto* input = graph().add_input();
    input->set_name(name);
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : shape) {
      auto* dimension = type->mutable_shape()->add_dim();
      extent < 0 ? dimension->set_dim_param("batch") : dimension->set_dim_value(extent);
    }
  }
  void Output(const std::string& name) { graph().add_output()->set_name(name); }

  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs) {
    auto* node = graph().add_node();
    node->set_op_type(op);
    for (const auto& name : inputs) node->add_input(name);
    for (const auto& name : outputs) node->add_output(name);
    return *node;
  }

  onnx::TensorProto& Initialiser(const std::string& name, const std::vector<float>& values) {
    auto* tensor = graph().add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->add_dims(static_cast<int64_t>(values.size()));
    for (float value : values) tensor->add_float_data(value);
    return *tensor;
  }

  absl::StatusOr<ir::Graph> Read(const OnnxLimits& limits = {}) const {
    return ReadOnnx(proto.SerializeAsString(), limits);
  }

  onnx::ModelProto proto;
};

// y = x + w
inline OnnxModel AddModel() {
  OnnxModel model;
  model.Input("x", {-1, 2});
  model.Initialiser("w", {1, 2});
  model.Node("Add", {"x", "w"}, {"y"});
  model.Output("y");
  return model;
}

}  // namespace espalier::formats
