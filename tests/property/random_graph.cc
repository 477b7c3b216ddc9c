#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/property/random_network.h"

namespace espalier::testing {
namespace {

class GraphWriter {
 public:
  explicit GraphWriter(Random& random) : random_(random) {
    graph_.name = "random";
    graph_.opset = 13;
  }

  ir::ValueId Input(int64_t size) {
    graph_.inputs.push_back(NewValue("X", Shape{1, size}));
    return graph_.inputs.back();
  }

  ir::ValueId Constant(Shape shape, const std::vector<double>& values) {
    const std::vector<float> floats(values.begin(), values.end());
    const ir::ValueId id = NewValue(absl::StrCat("c", graph_.values.size()), shape);
    graph_.values[static_cast<size_t>(id)].constant = Tensor::FromFloats(shape, floats);
    return id;
  }

  ir::ValueId Node(const std::string& op, std::vector<ir::ValueId> inputs,
                   std::map<std::string, ir::Attribute> attributes = {}) {
    const ir::ValueId out = NewValue(absl::StrCat("v", graph_.values.size()), std::nullopt);
    const std::string name = absl::StrCat(op, "_", graph_.nodes.size());
    graph_.nodes.push_back({name, op, "", std::move(inputs), {out}, std::move(attributes)});
    return out;
  }

  ir::ValueId Dense(ir::ValueId x, int64_t in, int64_t out) {
    const std::vector<double> weights = random_.Normals(in * out, 1.2 / std::sqrt(static_cast<double>(in)));
    const ir::ValueId bias = Constant({out}, random_.Normals(out, 0.3));
    if (random_.Chance(0.5)) {
      return Node("Gemm", {x, Constant({out, in}, weights), bias}, {{"transB", int64_t{1}}});
    }
    const ir::ValueId product = Node("MatMul", {x, Constant({in, out}, weights)});
    return random_.Chance(0.5) ? Node("Add", {product, bias}) : Node("Add", {bias, product});
  }

  ir::ValueId Activation(ir::ValueId x, int64_t size) {
    switch (random_.Int(0, 5)) {
      case 0:
        // ONNX stores the attribute in float32.
        return Node("LeakyRelu", {x}, {{"alpha", double{static_cast<float>(random_.Uniform(0.01, 0.3))}}});
      case 1:
        return Node("Abs", {x});
      case 2:
        return GraftMulAdd(x, size);
      case 3:
        return GraftWhere(x, size);
      default:
        return Node("Relu", {x});
    }
  }

  ir::Graph Finish(ir::ValueId output) {
    graph_.values[static_cast<size_t>(output)].name = absl::StrCat("Y");
    graph_.outputs = {output};
    return std::move(graph_);
  }

 private:
  ir::ValueId NewValue(std::string name, std::optional<Shape> shape) {
    graph_.values.push_back({std::move(name), ElementType::kFloat32, std::move(shape), std::nullopt});
    return static_cast<ir::ValueId>(graph_.values.size()) - 1;
  }

  std::vector<double> RandomMask(int64_t size) {
    std::vector<double> mask(static_cast<size_t>(size));
    for (double& m : mask) m = random_.Chance(0.5) ? 1 : 0;
    return mask;
  }

  ir::ValueId Line(ir::ValueId x, int64_t size) {
    const ir::ValueId scaled = Node("Mul", {Constant({size}, random_.Normals(size, 0.5)), x});
    return Node("Add", {scaled, Constant({size}, random_.Normals(size, 0.2))});
  }

  ir::ValueId GraftMulAdd(ir::ValueId x, int64_t size) {
    const std::vector<double> mask = RandomMask(size);
    std::vector<double> keep = mask;
    for (double& k : keep) k = 1 - k;
    const ir::ValueId kept = Node("Mul", {Node("Relu", {x}), Constant({size}, keep)});
    return Node("Add", {kept, Node("Mul", {Constant({size}, mask), Line(x, size)})});
  }

  ir::ValueId GraftWhere(ir::ValueId x, int64_t size) {
    const std::vector<double> mask = RandomMask(size);
    const ir::ValueId id = NewValue(absl::StrCat("c", graph_.values.size()), Shape{size});
    ir::GraphValue& value = graph_.values[static_cast<size_t>(id)];
    value.type = ElementType::kBool;
    value.constant = Tensor::FromBools({size}, std::vector<uint8_t>(mask.begin(), mask.end()));
    const ir::ValueId line = Line(x, size);
    return Node("Where", {id, line, Node("Relu", {x})});
  }

  Random& random_;
  ir::Graph graph_;
};

}  // namespace

ir::Graph RandomGraph(Random& random, const GraphShape& shape) {
  GraphWriter writer(random);
  ir::ValueId value = writer.Input(shape.inputs);
  int64_t size = shape.inputs;
  for (int64_t l = 0; l < shape.layers; ++l) {
    const int64_t next = random.Chance(0.3) ? size : random.Int(1, shape.width);
    ir::ValueId dense = writer.Dense(value, size, next);
    if (next == size && random.Chance(0.6)) dense = writer.Node("Add", {dense, value});
    value = writer.Activation(dense, next);
    size = next;
  }
  return writer.Finish(writer.Dense(value, size, shape.outputs));
}

}  // namespace espalier::testing
