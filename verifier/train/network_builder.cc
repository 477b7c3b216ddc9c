#include "verifier/train/network_builder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "verifier/backend/training.h"
#include "verifier/base/status.h"

namespace espalier::train {
namespace {

int64_t OutputSide(int64_t side, int64_t before, int64_t after, const ConvSpec& conv) {
  return (side + before + after - conv.kernel) / conv.stride + 1;
}

double RoundToFloat(double value) {
  return static_cast<double>(static_cast<float>(value));
}

}  // namespace

bool NetworkBuilder::Fits(const ConvSpec& conv) const {
  const ir::ImageShape& image = Last().image;
  return image.h + conv.padding[0] + conv.padding[2] >= conv.kernel &&
         image.w + conv.padding[1] + conv.padding[3] >= conv.kernel;
}

void NetworkBuilder::Input(const Shape& shape) {
  input_shape_ = shape;
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kInput;
  node.name = "input";
  node.size = *ElementCount(shape);
  if (shape.size() == 3) node.image = {shape[1], shape[2], shape[0]};
  network_.input_order.resize(static_cast<size_t>(node.size));
  const int64_t c = shape.size() == 3 ? shape[0] : 1, plane = node.size / c;
  for (int64_t i = 0; i < node.size; ++i) {  // stored (h, w, c) from ONNX (c, h, w)
    network_.input_order[static_cast<size_t>(i)] = (i % c) * plane + i / c;
  }
  network_.nodes.push_back(std::move(node));
}

ir::NodeId NetworkBuilder::AddAffine(std::vector<ir::AffineTerm> terms, ir::ImageShape image) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.name = absl::StrCat("z", network_.nodes.size());
  node.size = ir::OutputSize(*terms.front().map);
  node.image = image;
  node.terms = std::move(terms);
  node.bias.assign(static_cast<size_t>(node.size), 0.0);
  network_.nodes.push_back(std::move(node));
  return static_cast<ir::NodeId>(network_.nodes.size()) - 1;
}

ir::NodeId NetworkBuilder::AddRelu(ir::NodeId argument) {
  const ir::NetworkNode& input = network_.nodes[static_cast<size_t>(argument)];
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kActivation;
  node.name = absl::StrCat("relu", network_.nodes.size());
  node.size = input.size;
  node.image = input.image;
  node.predecessor = argument;
  const auto n = static_cast<size_t>(node.size);
  node.hinge.left.assign(n, 0.0);
  node.hinge.right.assign(n, 1.0);
  node.hinge.intercept.assign(n, 0.0);
  network_.nodes.push_back(std::move(node));
  return static_cast<ir::NodeId>(network_.nodes.size()) - 1;
}

void NetworkBuilder::Normalise(const std::vector<double>& mean, const std::vector<double>& deviation) {
  const ir::NetworkNode& input = Last();
  const auto from = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  ir::ScaleMap map;
  std::vector<double> bias;
  for (int64_t i = 0; i < input.size; ++i) {
    const auto c = static_cast<size_t>(i) % mean.size();
    map.scale.push_back(RoundToFloat(1.0 / deviation[c]));
    bias.push_back(RoundToFloat(-mean[c] / deviation[c]));
  }
  AddAffine({{from, std::make_shared<ir::LinearMap>(std::move(map)), 0}}, input.image);
  network_.nodes.back().bias = std::move(bias);
}

// Without batch normalisation a chain of blocks multiplies variances and adversarial training collapses to a
// constant; blocks that start close to their shortcuts train (Zhang et al. 2019, Fixup initialisation).
constexpr double kResidualGain = 0.1;

// Box and Muller's method on the counter-based uniform numbers.
std::vector<double> NetworkBuilder::NormalWeights(int64_t count, int64_t fan_in) {
  const backend::RandomKey key{seed_, ++stream_};
  const double deviation = std::sqrt(2.0 / static_cast<double>(std::max<int64_t>(fan_in, 1)));
  std::vector<double> weights;
  for (int64_t i = 0; i < count; ++i) {
    const auto counter = static_cast<uint64_t>(2 * i);
    const double u = 1.0 - static_cast<double>(backend::CounterUniform(key, counter));
    const double v = static_cast<double>(backend::CounterUniform(key, counter + 1));
    const double normal = std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
    weights.push_back(RoundToFloat(deviation * normal));
  }
  return weights;
}

ir::LinearMapPtr NetworkBuilder::ConvMap(ir::NodeId from, const ConvSpec& conv, double gain) {
  const ir::ImageShape& image = network_.nodes[static_cast<size_t>(from)].image;
  ir::ConvMap map;
  map.big_h = image.h;
  map.big_w = image.w;
  map.big_c = image.c;
  map.small_h = OutputSide(image.h, conv.padding[0], conv.padding[2], conv);
  map.small_w = OutputSide(image.w, conv.padding[1], conv.padding[3], conv);
  map.small_c = conv.channels;
  map.kernel_h = map.kernel_w = conv.kernel;
  map.stride_h = map.stride_w = conv.stride;
  map.pad_top = conv.padding[0];
  map.pad_left = conv.padding[1];
  const int64_t fan_in = conv.kernel * conv.kernel * image.c;
  map.kernel = NormalWeights(fan_in * conv.channels, fan_in);
  for (double& w : map.kernel) w = RoundToFloat(gain * w);
  return std::make_shared<ir::LinearMap>(std::move(map));
}

void NetworkBuilder::Conv(const ConvSpec& conv) {
  const auto from = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  ir::LinearMapPtr map = ConvMap(from, conv);
  const auto& shape = std::get<ir::ConvMap>(*map);
  AddAffine({{from, map, 0}}, {shape.small_h, shape.small_w, shape.small_c});
}

bool NetworkBuilder::Relu() {
  if (Last().kind != ir::NodeKind::kAffine) return false;
  AddRelu(static_cast<ir::NodeId>(network_.nodes.size()) - 1);
  return true;
}

void NetworkBuilder::Dense(int64_t width, double gain) {
  const auto from = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  const int64_t fan_in = Last().size;
  ir::DenseMap map{width, fan_in, NormalWeights(width * fan_in, fan_in)};
  for (double& w : map.weights) w = RoundToFloat(gain * w);
  AddAffine({{from, std::make_shared<ir::LinearMap>(std::move(map)), 0}}, {});
}

void NetworkBuilder::Block(int64_t channels, int64_t stride) {
  const auto from = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  const ir::ImageShape image = Last().image;
  Conv({channels, 3, stride, {1, 1, 1, 1}});
  Relu();
  const auto middle = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  const ir::LinearMapPtr second = ConvMap(middle, {channels, 3, 1, {1, 1, 1, 1}}, kResidualGain);
  const bool same = stride == 1 && image.c == channels;
  const ir::LinearMapPtr shortcut =
      same ? std::make_shared<ir::LinearMap>(ir::IdentityMap{network_.nodes[static_cast<size_t>(from)].size})
           : ConvMap(from, {channels, 1, stride, {0, 0, 0, 0}});
  const auto& shape = std::get<ir::ConvMap>(*second);
  AddAffine({{middle, second, 0}, {from, shortcut, 0}}, {shape.small_h, shape.small_w, shape.small_c});
  Relu();
}

absl::StatusOr<BuiltNetwork> NetworkBuilder::Finish() && {
  if (Last().kind != ir::NodeKind::kAffine || is_image()) {
    return absl::InvalidArgumentError("network spec: the last layer must be 'fc', the logits");
  }
  network_.output = static_cast<ir::NodeId>(network_.nodes.size()) - 1;
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(network_));
  return BuiltNetwork{std::move(network_), std::move(input_shape_)};
}

}  // namespace espalier::train
