#include <cmath>
#include <cstring>

#include "onnx_model.h"
#include "verifier/ops/ops.h"

namespace espalier::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The error's code, after checking that its message names what is wrong.
absl::StatusCode CodeOf(const absl::StatusOr<ir::Graph>& graph, const std::string& named) {
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr(named));
  return graph.status().code();
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

TEST(OnnxReader, ReadsStructureAndInitialisers) {
  const auto graph = AddModel().Read();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->opset, 13);
  ASSERT_EQ(graph->inputs.size(), 1U);
  const ir::GraphValue& input = graph->values[static_cast<size_t>(graph->inputs[0])];
  EXPECT_EQ(input.name, "x");
  EXPECT_EQ(*input.shape, (Shape{-1, 2}));
  ASSERT_EQ(graph->nodes.size(), 1U);
  EXPECT_EQ(graph->nodes[0].name, "Add_0");
  const auto& w = graph->values[static_cast<size_t>(graph->nodes[0].inputs[1])];
  EXPECT_THAT(w.constant->ToDoubles(), ElementsAre(1, 2));
}

TEST(OnnxReader, AnInitialiserThatIsAlsoAnInputIsAConstant) {
  OnnxModel model = AddModel();
  model.Input("w", {2});
  const auto graph = model.Read();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->inputs.size(), 1U);
}

TEST(OnnxReader, ReadsAttributesOfEveryKind) {
  OnnxModel model = AddModel();
  auto& node = *model.graph().mutable_node(0);
  const auto add = [&node](const char* name,
                           onnx::AttributeProto::AttributeType type) -> onnx::AttributeProto& {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(type);
    return *attribute;
  };
  add("i", onnx::AttributeProto::INT).set_i(-3);
  add("f", onnx::AttributeProto::FLOAT).set_f(0.5F);
  add("s", onnx::AttributeProto::STRING).set_s("text");
  add("is", onnx::AttributeProto::INTS).add_ints(4);
  add("fs", onnx::AttributeProto::FLOATS).add_floats(1.5F);
  add("t", onnx::AttributeProto::TENSOR).mutable_t()->set_data_type(onnx::TensorProto::INT64);
  node.mutable_attribute(5)->mutable_t()->add_int64_data(7);
  add("g", onnx::AttributeProto::GRAPH).mutable_g()->set_name("body");
  const auto graph = model.Read();
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto& attributes = graph->nodes[0].attributes;
  EXPECT_EQ(std::get<int64_t>(attributes.at("i")), -3);
  EXPECT_EQ(std::get<double>(attributes.at("f")), 0.5);
  EXPECT_EQ(std::get<std::string>(attributes.at("s")), "text");
  EXPECT_EQ(std::get<std::vector<int64_t>>(attributes.at("is")), std::vector<int64_t>{4});
  EXPECT_EQ(std::get<std::vector<double>>(attributes.at("fs")), std::vector<double>{1.5});
  EXPECT_EQ(std::get<Tensor>(attributes.at("t")).AsInt(0), 7);
  EXPECT_TRUE(std::get<std::vector<std::string>>(attributes.at("g")).empty());
}

TEST(OnnxReader, SortsNodesTopologically) {
  OnnxModel model;
  model.Input("x", {1});
  model.Node("Neg", {"b"}, {"c"});
  model.Node("Relu", {"x"}, {"a"});
  model.Node("Abs", {"a"}, {"b"});
  model.Output("c");
  const auto graph = model.Read();
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes[0].op, "Relu");
  EXPECT_EQ(graph->nodes[1].op, "Abs");
  EXPECT_EQ(graph->nodes[2].op, "Neg");
}

TEST(OnnxReader, NamesWhatIsMalformed) {
  OnnxModel cyclic = AddModel();
  cyclic.Node("Sum", {"q", "x"}, {"p"});
  cyclic.Node("Relu", {"p"}, {"q"});
  EXPECT_EQ(CodeOf(cyclic.Read(), "cycle"), kInvalid);

  OnnxModel missing = AddModel();
  missing.Node("Relu", {"ghost"}, {"z"});
  EXPECT_EQ(CodeOf(missing.Read(), "'ghost'"), kInvalid);

  OnnxModel twice = AddModel();
  twice.Node("Relu", {"x"}, {"y"});
  EXPECT_EQ(CodeOf(twice.Read(), "'y' is defined twice"), kInvalid);

  OnnxModel inputs = AddModel();
  inputs.Input("x", {1});
  EXPECT_EQ(CodeOf(inputs.Read(), "'x' is declared twice"), kInvalid);

  OnnxModel output = AddModel();
  output.Output("ghost");
  EXPECT_EQ(CodeOf(output.Read(), "'ghost'"), kInvalid);

  OnnxModel none = AddModel();
  none.graph().clear_output();
  EXPECT_EQ(CodeOf(none.Read(), "no output"), kInvalid);

  OnnxModel nan = AddModel();
  nan.Initialiser("bad", {1, NAN});
  EXPECT_EQ(CodeOf(nan.Read(), "'bad'"), kInvalid);
}

TEST(OnnxReader, RefusesWhatItDoesNotRead) {
  for (const int64_t version : {6, 22}) {
    OnnxModel opset = AddModel();
    opset.proto.mutable_opset_import(0)->set_version(version);
    EXPECT_EQ(CodeOf(opset.Read(), "opset"), kUnimplemented);
  }
  OnnxModel none = AddModel();
  none.proto.clear_opset_import();
  EXPECT_EQ(CodeOf(none.Read(), "opset"), kUnimplemented);

  OnnxModel sparse = AddModel();
  sparse.graph().add_sparse_initializer()->mutable_values()->set_name("s");
  EXPECT_EQ(CodeOf(sparse.Read(), "sparse"), kUnimplemented);

  OnnxModel sequence = AddModel();
  auto* input = sequence.graph().add_input();
  input->set_name("seq");
  input->mutable_type()->mutable_sequence_type();
  EXPECT_EQ(CodeOf(sequence.Read(), "'seq'"), kUnimplemented);

  OnnxModel function = AddModel();
  auto* definition = function.proto.add_functions();
  definition->set_domain("local");
  definition->set_name("Twice");
  function.Node("Twice", {"x"}, {"z"}).set_domain("local");
  EXPECT_EQ(CodeOf(function.Read(), "functions"), kUnimplemented);
}

TEST(OnnxReader, RefusesExternalDataWhereverATensorStands) {
  OnnxModel initialiser = AddModel();
  initialiser.graph().mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(CodeOf(initialiser.Read(), "external"), kUnimplemented);

  OnnxModel listed = AddModel();
  listed.graph().mutable_initializer(0)->add_external_data()->set_key("location");
  EXPECT_EQ(CodeOf(listed.Read(), "external"), kUnimplemented);

  OnnxModel constant = AddModel();
  auto* attribute = constant.Node("Constant", {}, {"k"}).add_attribute();
  attribute->set_name("value");
  attribute->set_type(onnx::AttributeProto::TENSOR);
  attribute->mutable_t()->set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_EQ(CodeOf(constant.Read(), "external"), kUnimplemented);
}

TEST(OnnxReader, EnforcesItsLimits) {
  const OnnxModel model = AddModel();
  EXPECT_EQ(CodeOf(model.Read({.bytes = 10}), "bytes"), kExhausted);
  EXPECT_EQ(CodeOf(model.Read({.nodes = 0}), "nodes"), kExhausted);
  EXPECT_EQ(CodeOf(model.Read({.elements = 1}), "'w'"), kExhausted);
  EXPECT_EQ(CodeOf(model.Read({.rank = 0}), "rank"), kUnimplemented);
}

TEST(OnnxReader, LimitsAllInitialisersTogether) {
  OnnxModel model = AddModel();
  model.Initialiser("v", {1, 2});
  EXPECT_TRUE(model.Read({.elements = 4}).ok());
  EXPECT_EQ(CodeOf(model.Read({.elements = 3}), "'v'"), kExhausted);
}

TEST(OnnxReader, KeepsNodesWithSubgraphsSoThatTheyCanBeListed) {
  OnnxModel model = AddModel();
  auto* attribute = model.Node("If", {"y"}, {"z"}).add_attribute();
  attribute->set_name("then_branch");
  attribute->set_type(onnx::AttributeProto::GRAPH);
  model.Output("z");
  auto graph = model.Read();
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto unsupported = ops::Prepare(*graph);
  ASSERT_TRUE(unsupported.ok()) << unsupported.status();
  ASSERT_EQ(unsupported->size(), 1U);
  EXPECT_EQ((*unsupported)[0].op, "If");
}

TEST(OnnxReader, TruncatedOrFlippedBytesNeverCrash) {
  const std::string bytes = AddModel().proto.SerializeAsString();
  for (size_t i = 0; i < bytes.size(); ++i) {
    (void)ReadOnnx(bytes.substr(0, i));
    for (const int bit : {0, 3, 7}) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      auto graph = ReadOnnx(flipped);
      if (graph.ok()) (void)ops::Prepare(*graph);
    }
  }
  EXPECT_EQ(CodeOf(ReadOnnx("not a model"), "no ONNX model"), kInvalid);
  EXPECT_EQ(CodeOf(ReadOnnx(""), "no graph"), kInvalid);
}

TEST(OnnxReader, DeepNestingIsAnError) {
  OnnxModel model = AddModel();
  onnx::GraphProto* graph = &model.graph();
  for (int depth = 0; depth < 500; ++depth) {
    auto* attribute = graph->add_node()->add_attribute();
    attribute->set_type(onnx::AttributeProto::GRAPH);
    graph = attribute->mutable_g();
  }
  EXPECT_EQ(CodeOf(model.Read(), "no ONNX model"), kInvalid);
}

}  // namespace
}  // namespace espalier::formats
