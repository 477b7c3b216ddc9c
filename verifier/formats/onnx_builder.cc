#include "verifier/formats/onnx_builder.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace espalier::formats {
namespace {

void SetAttribute(const OnnxAttribute& from, onnx::AttributeProto& to) {
  to.set_name(from.name);
  if (const auto* number = std::get_if<int64_t>(&from.value)) {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(*number);
  } else if (const auto* real = std::get_if<float>(&from.value)) {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(*real);
  } else {
    to.set_type(onnx::AttributeProto::INTS);
    for (const int64_t i : std::get<std::vector<int64_t>>(from.value)) to.add_ints(i);
  }
}

template <typename T>
void SetTensor(const Shape& shape, const std::vector<T>& values, onnx::TensorProto& to) {
  for (const int64_t d : shape) to.add_dims(d);
  to.set_raw_data(values.data(), values.size() * sizeof(T));
}

}  // namespace

std::string OnnxBuilder::NewName(std::string_view stem) {
  std::string name;
  do {
    name = absl::StrCat(std::string(stem), "_", ++count_[std::string(stem)]);
  } while (!taken_.insert(name).second);
  return name;
}

std::string OnnxBuilder::Add(std::string_view op, const std::vector<std::string>& inputs,
                             const std::vector<OnnxAttribute>& attributes) {
  onnx::NodeProto& node = *model_.mutable_graph()->add_node();
  const std::string name = NewName(absl::AsciiStrToLower(std::string(op)));
  node.set_name(name);
  node.set_op_type(std::string(op));
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(name);
  for (const OnnxAttribute& attribute : attributes) SetAttribute(attribute, *node.add_attribute());
  return name;
}

std::string OnnxBuilder::Floats(std::string_view role, const Shape& shape, const std::vector<float>& values) {
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(NewName(role));
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  SetTensor(shape, values, tensor);
  return tensor.name();
}

std::string OnnxBuilder::Ints(std::string_view role, const std::vector<int64_t>& values) {
  onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
  tensor.set_name(NewName(role));
  tensor.set_data_type(onnx::TensorProto::INT64);
  SetTensor({static_cast<int64_t>(values.size())}, values, tensor);
  return tensor.name();
}

std::string OnnxBuilder::Reshaped(const std::string& x, const Shape& shape) {
  Shape target{0};  // the batch dimension as it is
  target.insert(target.end(), shape.begin(), shape.end());
  return Add("Reshape", {x, Ints("shape", target)});
}

std::string OnnxBuilder::Flat(const std::string& x) {
  return Add("Flatten", {x}, {{"axis", int64_t{1}}});
}

std::string OnnxBuilder::Transposed(const std::string& x, const std::vector<int64_t>& order) {
  return Add("Transpose", {x}, {{"perm", order}});
}

void OnnxBuilder::NameLastOutput(const std::string& name) {
  auto& nodes = *model_.mutable_graph()->mutable_node();
  nodes.rbegin()->set_output(0, name);
}

bool OnnxBuilder::IsLastOutput(const std::string& name) const {
  const auto& nodes = model_.graph().node();
  return !nodes.empty() && nodes.rbegin()->output(0) == name;
}

}  // namespace espalier::formats
