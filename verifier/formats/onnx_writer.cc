#include "verifier/formats/onnx_writer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/formats/onnx_builder.h"
#include "verifier/formats/onnx_hinge.h"
#include "verifier/formats/onnx_layout.h"
#include "verifier/formats/onnx_terms.h"
#include "verifier/ir/compose.h"

namespace espalier::formats {
namespace {

constexpr int kIrVersion = 8;
constexpr int kOpset = 13;

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

bool FitsFloat(double value) {
  return std::isfinite(static_cast<float>(value));
}

absl::Status CheckFloats(const std::vector<double>& values, const ir::NetworkNode& node) {
  for (const double value : values) {
    if (FitsFloat(value)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("node '", node.name, "': the coefficient ", value, " does not fit float32"));
  }
  return absl::OkStatus();
}

absl::Status CheckNode(const ir::NetworkNode& node) {
  for (const ir::AffineTerm& term : node.terms) {
    if (const auto* m = std::get_if<ir::ScaleMap>(term.map.get())) {
      ESPALIER_RETURN_IF_ERROR(CheckFloats(m->scale, node));
    } else if (const auto* dense = std::get_if<ir::DenseMap>(term.map.get())) {
      ESPALIER_RETURN_IF_ERROR(CheckFloats(dense->weights, node));
    } else if (const auto* conv = std::get_if<ir::ConvMap>(term.map.get())) {
      ESPALIER_RETURN_IF_ERROR(CheckFloats(conv->kernel, node));
    } else if (const auto* sparse = std::get_if<ir::SparseMap>(term.map.get())) {
      ESPALIER_RETURN_IF_ERROR(CheckFloats(sparse->value, node));
    }
  }
  ESPALIER_RETURN_IF_ERROR(CheckFloats(node.bias, node));
  std::vector<double> factor(node.hinge.left.size());
  for (size_t i = 0; i < factor.size(); ++i) factor[i] = node.hinge.right[i] - node.hinge.left[i];
  for (const auto* values :
       {&node.hinge.left, &node.hinge.right, &node.hinge.intercept, &std::as_const(factor)}) {
    ESPALIER_RETURN_IF_ERROR(CheckFloats(*values, node));
  }
  return absl::OkStatus();
}

// One pixel is no image to the file: [N, C] says as much as [N, C, 1, 1].
ir::ImageShape FormOf(const ir::NetworkNode& node) {
  return node.image.h * node.image.w == 1 ? kFlat : node.image;
}

// Neurons that lowering silenced, (0,0,0) without influence on the output: free to be plain ReLUs again.
std::vector<std::vector<bool>> IdleNeurons(const ir::Network& network) {
  std::vector<std::vector<double>> influence(network.nodes.size());
  for (size_t i = 0; i < influence.size(); ++i) influence[i].assign(At(network.nodes[i].size), 0.0);
  influence[At(network.output)].assign(At(network.output_size()), 1.0);
  std::vector<std::vector<bool>> idle(network.nodes.size());
  for (size_t i = network.nodes.size(); i-- > 1;) {
    const ir::NetworkNode& node = network.nodes[i];
    for (double& v : influence[i]) v = v > 0 ? 1 : 0;
    for (const ir::AffineTerm& term : node.terms) {
      ir::AbsApplyTransposed(*term.map, influence[i], influence[At(term.predecessor)]);
    }
    if (node.kind != ir::NodeKind::kActivation) continue;
    const ir::HingeLayer& hinge = node.hinge;
    for (size_t j = 0; j < influence[i].size(); ++j) {
      const bool slopes = hinge.left[j] != 0 || hinge.right[j] != 0;
      if (slopes) influence[At(node.predecessor)][j] += influence[i][j];
      idle[i].push_back(!slopes && hinge.intercept[j] == 0 && influence[i][j] == 0);
    }
  }
  return idle;
}

class NetworkWriter {
 public:
  NetworkWriter(const ir::Network& network, const WriteSettings& settings)
      : network_(network),
        settings_(settings),
        builder_({settings.input_name, settings.output_name}),
        idle_(IdleNeurons(network)) {
    const bool batched = settings.input_shape.front() == 1 && settings.output_shape.front() == 1;
    batched_ = batched && settings.input_shape.size() > 1 && settings.output_shape.size() > 1;
  }

  absl::StatusOr<std::string> Write() {
    values_.resize(network_.nodes.size());
    values_[0] = ReadInput();
    for (size_t i = 1; i < network_.nodes.size(); ++i) {
      const ir::NetworkNode& node = network_.nodes[i];
      if (node.kind == ir::NodeKind::kActivation) {
        const FileValue x = Convert(builder_, values_[At(node.predecessor)], FormOf(node));
        values_[i] = WriteHinge(builder_, x, node.hinge, idle_[i]);
      } else {
        ESPALIER_ASSIGN_OR_RETURN(values_[i], WriteAffine(node));
      }
    }
    WriteOutput();
    return Finish();
  }

 private:
  // Node 0 from the graph input: reshaped, and reordered where the network stores it in another order.
  FileValue ReadInput() {
    const ir::NetworkNode& node = network_.nodes[0];
    const ir::ImageShape form = FormOf(node);
    const Shape file = form.c > 0 ? Shape{1, form.c, form.h, form.w} : Shape{1, node.size};
    const std::vector<int64_t> stored = StoredOfFile(form, node.size);
    bool in_file_order = true, in_stored_order = true;
    for (int64_t f = 0; f < node.size; ++f) {
      in_file_order = in_file_order && network_.input_order[At(stored[At(f)])] == f;
      in_stored_order = in_stored_order && network_.input_order[At(f)] == f;
    }
    if (in_file_order && settings_.input_shape == file) return {settings_.input_name, form};
    if (in_file_order && batched_ && form.c > 0) {
      return {builder_.Reshaped(settings_.input_name, {file.begin() + 1, file.end()}), form};
    }
    if (in_file_order && !batched_) {
      return {builder_.Add("Reshape", {settings_.input_name, builder_.Ints("shape", file)}), form};
    }
    FileValue flat{settings_.input_name, kFlat};
    if (!batched_) {
      flat.name = builder_.Add("Reshape", {flat.name, builder_.Ints("shape", {1, node.size})});
    } else if (settings_.input_shape.size() > 2) {
      flat.name = builder_.Flat(flat.name);
    }
    if (!in_stored_order && !in_file_order) {
      flat.name = builder_.Add("Gather", {flat.name, builder_.Ints("index", network_.input_order)},
                               {{"axis", int64_t{1}}});
    }
    return in_file_order ? flat : Convert(builder_, flat, form);
  }

  absl::StatusOr<FileValue> WriteAffine(const ir::NetworkNode& node) {
    bool biased = std::all_of(node.bias.begin(), node.bias.end(), [](double b) { return b == 0; });
    FileValue sum;
    for (const ir::AffineTerm& term : node.terms) {
      const bool takes = !biased && TakesBias(*term.map, node.bias);
      biased = biased || takes;
      const MapRequest request{*term.map, FormOf(node), takes ? &node.bias : nullptr, node.name};
      ESPALIER_ASSIGN_OR_RETURN(FileValue part, WriteMap(builder_, values_[At(term.predecessor)], request));
      sum = sum.name.empty() ? part : FileValue{builder_.Add("Add", {sum.name, part.name}), part.form};
    }
    if (sum.name.empty()) sum = Zeros(node);
    if (!biased)
      sum.name = builder_.Add("Add", {sum.name, AddConstant(builder_, "bias", node.bias, sum.form)});
    return sum;
  }

  // A value of the node's size that only takes its batch dimension from the input.
  FileValue Zeros(const ir::NetworkNode& node) {
    const FileValue flat = Convert(builder_, values_[0], kFlat);
    const std::string copies =
        builder_.Add("Gather", {flat.name, builder_.Ints("index", std::vector<int64_t>(At(node.size), 0))},
                     {{"axis", int64_t{1}}});
    const std::string zeros = builder_.Add("Mul", {copies, builder_.Floats("scale", {}, {0})});
    return Convert(builder_, {zeros, kFlat}, FormOf(node));
  }

  // The output stands in ONNX order in the network.
  void WriteOutput() {
    const FileValue& y = values_[At(network_.output)];
    const Shape& shape = settings_.output_shape;
    std::string name = y.name;
    const bool image = KeepsStoredOrder(y.form) && shape == Shape{1, y.form.c, y.form.h, y.form.w};
    if (!image) {
      name = Convert(builder_, y, kFlat).name;
      if (!batched_) {
        name = builder_.Add("Reshape", {name, builder_.Ints("shape", shape)});
      } else if (shape.size() > 2) {
        name = builder_.Reshaped(name, {shape.begin() + 1, shape.end()});
      }
    }
    if (!builder_.IsLastOutput(name)) name = builder_.Add("Identity", {name});
    builder_.NameLastOutput(settings_.output_name);
  }

  void Declare(const std::string& name, const Shape& shape, onnx::ValueInfoProto& info) const {
    info.set_name(name);
    onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape();
    for (size_t d = 0; d < shape.size(); ++d) {
      auto& dimension = *type.mutable_shape()->add_dim();
      if (d == 0 && batched_) {
        dimension.set_dim_param("N");
      } else {
        dimension.set_dim_value(shape[d]);
      }
    }
  }

  absl::StatusOr<std::string> Finish() {
    onnx::ModelProto& model = builder_.model();
    model.set_ir_version(kIrVersion);
    model.set_producer_name("espalier");
    model.set_producer_version(settings_.producer_version);
    onnx::OperatorSetIdProto& opset = *model.add_opset_import();
    opset.set_domain("");
    opset.set_version(kOpset);
    model.mutable_graph()->set_name(settings_.graph_name.empty() ? "espalier" : settings_.graph_name);
    Declare(settings_.input_name, settings_.input_shape, *model.mutable_graph()->add_input());
    Declare(settings_.output_name, settings_.output_shape, *model.mutable_graph()->add_output());
    std::string bytes;
    const bool fits = model.ByteSizeLong() <= static_cast<size_t>(std::numeric_limits<int>::max());
    if (!fits || !model.SerializeToString(&bytes)) {
      return absl::ResourceExhaustedError("the model does not fit into one ONNX file of 2 GiB");
    }
    return bytes;
  }

  const ir::Network& network_;
  const WriteSettings& settings_;
  OnnxBuilder builder_;
  std::vector<std::vector<bool>> idle_;  // by node; activations only
  std::vector<FileValue> values_;        // by node
  bool batched_ = false;
};

absl::Status CompleteShape(const char* what, const ir::NetworkNode& node, Shape& shape) {
  if (shape.empty()) {
    shape = node.image.c > 0 ? Shape{1, node.image.c, node.image.h, node.image.w} : Shape{1, node.size};
  }
  if (ElementCount(shape) == node.size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the ", what, " shape ", ShapeToString(shape),
                                                 " does not hold the network's ", node.size, " neurons"));
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const ir::Network& network, const WriteSettings& settings) {
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(network));
  WriteSettings complete = settings;
  if (complete.input_name.empty() || complete.output_name.empty() ||
      complete.input_name == complete.output_name) {
    return absl::InvalidArgumentError("input and output need names, and different ones");
  }
  ESPALIER_RETURN_IF_ERROR(CompleteShape("input", network.nodes[0], complete.input_shape));
  ir::NetworkNode output = network.nodes[At(network.output)];
  ESPALIER_RETURN_IF_ERROR(CompleteShape("output", output, complete.output_shape));
  for (const ir::NetworkNode& node : network.nodes) ESPALIER_RETURN_IF_ERROR(CheckNode(node));
  return NetworkWriter(network, complete).Write();
}

}  // namespace espalier::formats
