#include "verifier/formats/onnx_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "verifier/formats/onnx_proto.h"

namespace espalier::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Doubles = std::vector<double>;

ir::NodeId AddAffine(ir::Network& network, ir::NodeId from, ir::LinearMap map, Doubles bias,
                     ir::ImageShape image = {}) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.name = "affine";
  node.size = ir::OutputSize(map);
  node.image = image;
  node.bias = std::move(bias);
  node.bias.resize(static_cast<size_t>(node.size), 0.0);
  node.terms = {{from, std::make_shared<const ir::LinearMap>(std::move(map))}};
  network.nodes.push_back(std::move(node));
  return network.output = static_cast<ir::NodeId>(network.nodes.size()) - 1;
}

ir::NodeId AddHinge(ir::Network& network, ir::HingeLayer hinge) {
  ir::NetworkNode node = network.nodes.back();
  node.kind = ir::NodeKind::kActivation;
  node.predecessor = static_cast<ir::NodeId>(network.nodes.size()) - 1;
  node.terms.clear();
  node.bias.clear();
  node.hinge = std::move(hinge);
  network.nodes.push_back(std::move(node));
  return static_cast<ir::NodeId>(network.nodes.size()) - 1;
}

ir::Network Input(int64_t size, ir::ImageShape image = {}) {
  ir::Network network;
  network.nodes.resize(1);
  network.nodes[0].name = "X";
  network.nodes[0].size = size;
  network.nodes[0].image = image;
  for (int64_t i = 0; i < size; ++i) network.input_order.push_back(i);
  return network;
}

// dense, hinge, dense; two neurons throughout.
ir::Network WithHinge(ir::HingeLayer hinge) {
  ir::Network network = Input(2);
  AddAffine(network, 0, ir::DenseMap{2, 2, {1, 2, 3, 4}}, {5, 6});
  const ir::NodeId activation = AddHinge(network, std::move(hinge));
  AddAffine(network, activation, ir::DenseMap{2, 2, {1, 1, 1, -1}}, {});
  return network;
}

onnx::ModelProto Parsed(const absl::StatusOr<std::string>& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(ParseOnnxMessage(bytes.value_or(""), model));
  return model;
}

std::vector<std::string> Operators(const onnx::ModelProto& model) {
  std::vector<std::string> ops;
  for (const auto& node : model.graph().node()) ops.push_back(node.op_type());
  return ops;
}

TEST(OnnxWriter, WritesTheHeaderAndABatchDimension) {
  const ir::Network network = WithHinge({{0, 0}, {1, 1}, {0, 0}});
  const onnx::ModelProto model =
      Parsed(WriteOnnx(network, {"in", {1, 2, 1}, "out", {1, 2}, "graph", "1.2.3"}));
  EXPECT_EQ(model.ir_version(), 8);
  EXPECT_EQ(model.producer_name(), "espalier");
  EXPECT_EQ(model.producer_version(), "1.2.3");
  EXPECT_EQ(model.opset_import(0).version(), 13);
  EXPECT_EQ(model.graph().name(), "graph");
  EXPECT_EQ(model.graph().input(0).name(), "in");
  const auto& shape = model.graph().input(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), 2);
  EXPECT_EQ(shape.dim(2).dim_value(), 1);
  EXPECT_EQ(model.graph().node().rbegin()->output(0), "out");
  EXPECT_THAT(Operators(model), ElementsAre("Flatten", "Gemm", "Relu", "Gemm"));
}

TEST(OnnxWriter, WithoutABatchDimensionShapesAreFixed) {
  const onnx::ModelProto model =
      Parsed(WriteOnnx(WithHinge({{0, 0}, {1, 1}, {0, 0}}), {.input_shape = {2}, .output_shape = {2, 1}}));
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_value(), 2);
  EXPECT_THAT(Operators(model), ElementsAre("Reshape", "Gemm", "Relu", "Gemm", "Reshape"));
}

TEST(OnnxWriter, HingesTakeTheShortestForm) {
  const auto ops = [](ir::HingeLayer hinge) { return Operators(Parsed(WriteOnnx(WithHinge(hinge), {}))); };
  EXPECT_THAT(ops({{0, 0}, {1, 1}, {0, 0}}), ElementsAre("Gemm", "Relu", "Gemm"));
  const double slope = 0.01F;  // 1 - slope is no float32 number
  EXPECT_THAT(ops({{slope, slope}, {1, 1}, {0, 0}}), ElementsAre("Gemm", "LeakyRelu", "Gemm"));
  EXPECT_THAT(ops({{slope, 0.1F}, {1, 1}, {0, 0}}), ElementsAre("Gemm", "PRelu", "Gemm"));
  EXPECT_THAT(ops({{-1, -1}, {1, 1}, {0, 0}}), ElementsAre("Gemm", "Relu", "Mul", "Mul", "Add", "Gemm"));
  EXPECT_THAT(ops({{0, 0.5}, {1, 0.5}, {0, 0.25}}),
              ElementsAre("Gemm", "Relu", "Mul", "Mul", "Add", "Add", "Gemm"));
  EXPECT_THAT(ops({{0.5, 0.25}, {0.5, 0.25}, {1, 0}}), ElementsAre("Gemm", "Mul", "Add", "Gemm"));
}

TEST(OnnxWriter, SilencedNeuronsAreReluAgainUnlessTheirValueMatters) {
  ir::Network network = WithHinge({{0, 0}, {1, 0}, {0, 0}});
  EXPECT_THAT(Operators(Parsed(WriteOnnx(network, {}))), ElementsAre("Gemm", "Relu", "Mul", "Gemm"));
  network.nodes.back().terms[0].map = std::make_shared<const ir::LinearMap>(ir::DenseMap{2, 2, {1, 0, 1, 0}});
  EXPECT_THAT(Operators(Parsed(WriteOnnx(network, {}))), ElementsAre("Gemm", "Relu", "Gemm"));
}

// A 2x1 image of two channels, stored (h, w, c), flattened by Gemm as (c, h, w).
TEST(OnnxWriter, ImagesAreChannelsFirstInTheFile) {
  ir::Network network = Input(4, {2, 1, 2});
  network.input_order = {0, 2, 1, 3};
  AddAffine(network, 0, ir::DenseMap{1, 4, {1, 2, 3, 4}}, {});
  const onnx::ModelProto model = Parsed(WriteOnnx(network, {}));
  EXPECT_THAT(Operators(model), ElementsAre("Flatten", "Gemm"));
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim_size(), 4);
  std::vector<float> weights(4);
  std::memcpy(weights.data(), model.graph().initializer(0).raw_data().data(), 16);
  EXPECT_THAT(weights, ElementsAre(1, 3, 2, 4));
}

TEST(OnnxWriter, BiasesThatDifferBetweenPixelsAreAdded) {
  ir::ConvMap conv;
  conv.big_h = conv.small_h = 2;
  conv.big_w = conv.small_w = conv.big_c = 1;
  conv.small_c = 2;
  conv.kernel = {1, 2};
  for (const auto& [bias, ops] : std::vector<std::pair<Doubles, std::vector<std::string>>>{
           {{1, 2, 1, 2}, {"Conv"}}, {{1, 2, 3, 4}, {"Conv", "Add"}}}) {
    ir::Network network = Input(2, {2, 1, 1});
    const ir::NodeId image = AddAffine(network, 0, conv, bias, {2, 1, 2});
    AddAffine(network, image, ir::DenseMap{1, 4, {1, 2, 3, 4}}, {});
    std::vector<std::string> expected = ops;
    expected.insert(expected.end(), {"Flatten", "Gemm"});
    EXPECT_EQ(Operators(Parsed(WriteOnnx(network, {}))), expected);
  }
}

TEST(OnnxWriter, ErrorsNameTheNode) {
  ir::Network network = WithHinge({{0, 0}, {1, 1}, {0, 0}});
  network.nodes[1].name = "culprit";
  network.nodes[1].bias[1] = 1e39;
  const auto overflow = WriteOnnx(network, {});
  EXPECT_EQ(overflow.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(overflow.status().message()), HasSubstr("'culprit'"));
  network.nodes[1].bias[1] = 0;
  EXPECT_EQ(WriteOnnx(network, {.input_shape = {1, 3}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteOnnx(network, {.input_name = "Y", .output_name = "Y"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  network.output = 0;
  EXPECT_EQ(WriteOnnx(network, {}).status().code(), absl::StatusCode::kInternal);
}

TEST(OnnxWriter, NamesAvoidThoseOfInputAndOutput) {
  const auto bytes =
      WriteOnnx(WithHinge({{0, 0}, {1, 1}, {0, 0}}), {.input_name = "gemm_1", .output_name = "relu_1"});
  const onnx::ModelProto model = Parsed(bytes);
  EXPECT_EQ(model.graph().node(0).output(0), "gemm_2");
  EXPECT_EQ(model.graph().node(1).output(0), "relu_2");
}

}  // namespace
}  // namespace espalier::formats
