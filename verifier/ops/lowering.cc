#include "verifier/ops/lowering.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "verifier/ir/compose.h"

namespace espalier::ops {
namespace {

size_t At(int64_t i) {
  return static_cast<size_t>(i);
}

int64_t Count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Height, width and channels of a channels-last value; sequences have height 1.
ir::ImageShape ImageOf(const Shape& shape, Layout layout) {
  if (layout != Layout::kChannelsLast || shape.size() > 4) return {};
  return shape.size() == 4 ? ir::ImageShape{shape[2], shape[3], shape[1]}
                           : ir::ImageShape{1, shape[2], shape[1]};
}

bool IsWindowOp(std::string_view op) {
  static constexpr std::string_view kWindowOps[] = {"Conv",         "ConvTranspose",      "MaxPool",
                                                    "AveragePool",  "BatchNormalization", "GlobalAveragePool",
                                                    "GlobalMaxPool"};
  return std::find(std::begin(kWindowOps), std::end(kWindowOps), op) != std::end(kWindowOps);
}

bool IsElementwise(std::string_view op) {
  static constexpr std::string_view kElementwise[] = {"Add",  "Sub",      "Mul",     "Div", "Neg",
                                                      "Cast", "Identity", "Dropout", "Pad"};
  return std::find(std::begin(kElementwise), std::end(kElementwise), op) != std::end(kElementwise);
}

}  // namespace

bool AllowsChannelsLast(const Shape& shape) {
  return shape.size() >= 3 && shape.size() <= 4 && shape[0] == 1;
}

std::vector<int64_t> StoredPositions(const Shape& shape, Layout layout) {
  std::vector<int64_t> position(At(Count(shape)));
  std::iota(position.begin(), position.end(), 0);
  if (layout == Layout::kRowMajor) return position;
  const int64_t channels = shape[1], pixels = Count(shape) / channels;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t p = 0; p < pixels; ++p) position[At(c * pixels + p)] = p * channels + c;
  }
  return position;
}

std::vector<int64_t> BroadcastSources(const Shape& from, const Shape& to) {
  // Stride of `from` along every dimension of `to`; 0 where it is repeated.
  std::vector<int64_t> stride(to.size(), 0);
  int64_t step = 1;
  for (size_t d = 0; d < from.size() && d < to.size(); ++d) {
    const int64_t extent = from[from.size() - 1 - d];
    stride[to.size() - 1 - d] = extent == 1 ? 0 : step;
    step *= extent;
  }
  std::vector<int64_t> sources(At(Count(to))), index(to.size(), 0);
  int64_t source = 0;
  for (int64_t& out : sources) {
    out = source;
    for (size_t d = to.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < to[d]) break;
      source -= stride[d] * to[d];
      index[d] = 0;
    }
  }
  return sources;
}

std::vector<double> StoredConstant(const Tensor& constant, const Shape& shape, Layout layout) {
  const std::vector<double> values = constant.ToDoubles();
  const std::vector<int64_t> sources = BroadcastSources(constant.shape, shape);
  const std::vector<int64_t> position = StoredPositions(shape, layout);
  std::vector<double> out(sources.size());
  for (size_t i = 0; i < out.size(); ++i) out[At(position[i])] = values[At(sources[i])];
  return out;
}

Lowering::Lowering(const ir::Graph& graph) : graph_(graph), values_(graph.values.size()) {
  const ir::ValueId input = graph.inputs.front();
  const ir::GraphValue& value = graph.values[At(input)];
  LoweredValue& lowered = values_[At(input)];
  lowered.node = 0;
  lowered.shape = *value.shape;
  if (AllowsChannelsLast(lowered.shape) && FeedsWindows(input)) lowered.layout = Layout::kChannelsLast;
  ir::NetworkNode node;
  node.name = value.name;
  node.size = Count(lowered.shape);
  node.image = ImageOf(lowered.shape, lowered.layout);
  network_.nodes.push_back(std::move(node));
  network_.input_order.resize(At(network_.input_size()));
  const std::vector<int64_t> position = StoredPositions(lowered.shape, lowered.layout);
  for (size_t i = 0; i < position.size(); ++i)
    network_.input_order[At(position[i])] = static_cast<int64_t>(i);
}

// Whether a convolution, pooling or batch normalisation reads the value, directly or through element-wise
// operators.
bool Lowering::FeedsWindows(ir::ValueId value) const {
  std::set<ir::ValueId> reached{value};
  for (const ir::GraphNode& node : graph_.nodes) {
    const bool reads = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ir::ValueId input) { return reached.count(input) > 0; });
    if (!reads) continue;
    if (IsWindowOp(node.op)) return true;
    if (IsElementwise(node.op)) reached.insert(node.outputs.begin(), node.outputs.end());
  }
  return false;
}

const LoweredValue& Lowering::Input(const OpContext& context, int i) const {
  return values_[At(context.node().inputs[At(i)])];
}

void Lowering::SetOutput(const OpContext& context, int i, LoweredValue value) {
  values_[At(context.node().outputs[At(i)])] = std::move(value);
}

const Shape& Lowering::OutputShape(const OpContext& context, int i) const {
  return *graph_.values[At(context.node().outputs[At(i)])].shape;
}

std::string Lowering::OutputName(const OpContext& context, int i) const {
  return graph_.values[At(context.node().outputs[At(i)])].name;
}

LoweredValue Lowering::AddAffine(std::string name, std::vector<ir::AffineTerm> terms,
                                 std::vector<double> bias, Shape shape, Layout layout) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.name = std::move(name);
  node.size = Count(shape);
  node.image = ImageOf(shape, layout);
  node.terms = std::move(terms);
  node.bias = std::move(bias);
  node.bias.resize(At(node.size), 0.0);
  network_.nodes.push_back(std::move(node));
  return {static_cast<ir::NodeId>(network_.nodes.size()) - 1, std::move(shape), layout};
}

void Lowering::SetBiasResidual(const LoweredValue& x, std::vector<double> residual) {
  network_.nodes[At(x.node)].bias_residual = std::move(residual);
}

LoweredValue Lowering::AddActivation(std::string name, const LoweredValue& x, ir::HingeLayer hinge) {
  LoweredValue argument = x;
  if (network_.nodes[At(x.node)].kind != ir::NodeKind::kAffine) {
    argument = AddAffine(network_.nodes[At(x.node)].name, {{x.node, MakeMap(TermMap(x, x.shape, x.layout))}},
                         {}, x.shape, x.layout);
  }
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kActivation;
  node.name = std::move(name);
  node.size = Count(x.shape);
  node.image = ImageOf(x.shape, x.layout);
  node.predecessor = argument.node;
  node.hinge = std::move(hinge);
  network_.nodes.push_back(std::move(node));
  return {static_cast<ir::NodeId>(network_.nodes.size()) - 1, x.shape, x.layout};
}

ir::LinearMap Lowering::TermMap(const LoweredValue& x, const Shape& shape, Layout layout) const {
  if (x.shape == shape && x.layout == layout) return ir::IdentityMap{Count(shape)};
  const std::vector<int64_t> sources = BroadcastSources(x.shape, shape);
  const std::vector<int64_t> from = StoredPositions(x.shape, x.layout), to = StoredPositions(shape, layout);
  std::vector<int64_t> gather(sources.size());
  for (size_t i = 0; i < gather.size(); ++i) gather[At(to[i])] = from[At(sources[i])];
  return ir::Simplify(ir::GatherMap(gather, Count(x.shape)));
}

LoweredValue Lowering::Relabel(const LoweredValue& x, const Shape& shape, Layout layout) {
  // Other nodes keep the image of the ONNX value that gives them their name.
  if (x.node == 0 && network_.nodes[0].image.c == 0) network_.nodes[0].image = ImageOf(shape, layout);
  return {x.node, shape, layout};
}

LoweredValue Lowering::InLayout(const LoweredValue& x, Layout layout) {
  if (x.layout == layout) return x;
  ir::LinearMap map = TermMap(x, x.shape, layout);
  if (!std::holds_alternative<ir::IdentityMap>(map)) {
    return AddAffine(network_.nodes[At(x.node)].name, {{x.node, MakeMap(std::move(map))}}, {}, x.shape,
                     layout);
  }
  return Relabel(x, x.shape, layout);
}

Layout Lowering::CommonLayout(const Shape& shape, const std::vector<LoweredValue>& operands) {
  if (!AllowsChannelsLast(shape)) return Layout::kRowMajor;
  for (const LoweredValue& x : operands) {
    if (x.layout == Layout::kChannelsLast && x.shape.size() == shape.size()) return Layout::kChannelsLast;
  }
  return Layout::kRowMajor;
}

absl::StatusOr<ir::Network> Lowering::Finish(ir::ValueId output) {
  LoweredValue value = InLayout(values_[At(output)], Layout::kRowMajor);
  if (network_.nodes[At(value.node)].kind != ir::NodeKind::kAffine) {
    value = AddAffine(graph_.values[At(output)].name,
                      {{value.node, MakeMap(ir::IdentityMap{Count(value.shape)})}}, {}, value.shape,
                      Layout::kRowMajor);
  }
  network_.output = value.node;
  return std::move(network_);
}

}  // namespace espalier::ops
