#include "tests/property/random_network.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace espalier::testing {
namespace {

struct HingeKind {
  double left, right, intercept;
};

HingeKind RandomHinge(Random& random) {
  const double pick = random.Uniform(0, 1);
  if (pick < 0.45) return {0, 1, 0};
  if (pick < 0.55) return {random.Uniform(0.01, 0.3), 1, 0};
  if (pick < 0.65) return {-1, 1, 0};
  if (pick < 0.80) {  // concave: left > right
    const double left = random.Uniform(-0.5, 1);
    return {left, left - random.Uniform(0.1, 1), random.Uniform(-0.5, 0.5)};
  }
  if (pick < 0.85) return {0, 0, 0};
  const double slope = random.Uniform(-0.5, 1);
  return {slope, slope, random.Uniform(-0.3, 0.3)};
}

ir::HingeLayer RandomHinges(Random& random, int64_t size, double relu_only, int64_t& hinges_left) {
  ir::HingeLayer layer;
  const bool only_relus = random.Chance(relu_only);
  for (int64_t i = 0; i < size; ++i) {
    HingeKind kind = only_relus ? HingeKind{0, 1, 0} : RandomHinge(random);
    if (kind.left != kind.right && --hinges_left < 0) kind.left = kind.right;
    layer.left.push_back(kind.left);
    layer.right.push_back(kind.right);
    layer.intercept.push_back(kind.intercept);
  }
  return layer;
}

ir::LinearMapPtr RandomDense(Random& random, int64_t rows, int64_t cols) {
  const double scale = 1.2 / std::sqrt(static_cast<double>(cols));
  return std::make_shared<ir::LinearMap>(ir::DenseMap{rows, cols, random.Normals(rows * cols, scale)});
}

ir::LinearMapPtr RandomSparse(Random& random, int64_t rows, int64_t cols) {
  ir::SparseMap map{rows, cols, {0}, {}, {}};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      if (!random.Chance(0.4)) continue;
      map.column.push_back(static_cast<int32_t>(c));
      map.value.push_back(random.Normal());
    }
    map.row_begin.push_back(static_cast<int64_t>(map.column.size()));
  }
  return std::make_shared<ir::LinearMap>(std::move(map));
}

ir::LinearMapPtr RandomSkip(Random& random, int64_t rows, int64_t cols) {
  const int64_t kind = random.Int(0, 2);
  if (rows == cols && kind == 0) return std::make_shared<ir::LinearMap>(ir::IdentityMap{rows});
  if (rows == cols && kind == 1)
    return std::make_shared<ir::LinearMap>(ir::ScaleMap{random.Normals(rows, 1)});
  return random.Chance(0.5) ? RandomSparse(random, rows, cols) : RandomDense(random, rows, cols);
}

ir::NodeId Add(ir::Network& network, ir::NetworkNode node) {
  node.name = absl::StrCat("n", network.nodes.size());
  network.nodes.push_back(std::move(node));
  return static_cast<ir::NodeId>(network.nodes.size()) - 1;
}

int64_t SizeOf(const ir::Network& network, ir::NodeId id) {
  return network.nodes[static_cast<size_t>(id)].size;
}

ir::NodeId AddInput(ir::Network& network, int64_t size, ir::ImageShape image) {
  ir::NetworkNode node;
  node.size = size;
  node.image = image;
  return Add(network, std::move(node));
}

ir::NodeId AddAffine(Random& random, ir::Network& network, ir::NodeId from, ir::LinearMapPtr map) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kAffine;
  node.size = ir::OutputSize(*map);
  node.bias = random.Normals(node.size, 0.3);
  node.terms = {{from, std::move(map)}};
  return Add(network, std::move(node));
}

void MaybeSkip(Random& random, ir::Network& network, ir::NodeId to, double probability) {
  if (!random.Chance(probability)) return;
  const auto from = static_cast<ir::NodeId>(random.Int(0, to - 1));
  ir::LinearMapPtr map = RandomSkip(random, SizeOf(network, to), SizeOf(network, from));
  network.nodes[static_cast<size_t>(to)].terms.push_back({from, std::move(map)});
}

ir::NodeId AddActivation(ir::Network& network, ir::NodeId from, ir::HingeLayer hinge) {
  ir::NetworkNode node;
  node.kind = ir::NodeKind::kActivation;
  node.size = SizeOf(network, from);
  node.image = network.nodes[static_cast<size_t>(from)].image;
  node.predecessor = from;
  node.hinge = std::move(hinge);
  return Add(network, std::move(node));
}

}  // namespace

double Random::Uniform(double low, double high) {
  return low + (high - low) * (static_cast<double>(engine_() >> 11) * 0x1p-53);
}

double Random::Normal() {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += Uniform(0, 1);
  return sum;
}

int64_t Random::Int(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
}

bool Random::Chance(double probability) {
  return Uniform(0, 1) < probability;
}

std::vector<double> Random::Normals(int64_t count, double scale) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& v : values) v = scale * Normal();
  return values;
}

ir::Network RandomNetwork(Random& random, const NetworkShape& shape) {
  ir::Network network;
  ir::NodeId last = AddInput(network, shape.inputs, {});
  network.input_order.resize(static_cast<size_t>(shape.inputs));
  std::iota(network.input_order.begin(), network.input_order.end(), 0);
  for (int64_t i = shape.inputs - 1; i > 0; --i) {
    std::swap(network.input_order[static_cast<size_t>(i)],
              network.input_order[static_cast<size_t>(random.Int(0, i))]);
  }
  int64_t hinges_left = shape.max_hinges;
  for (int64_t l = 0; l < shape.layers; ++l) {
    const int64_t size = random.Int(1, shape.width);
    last = AddAffine(random, network, last, RandomDense(random, size, SizeOf(network, last)));
    MaybeSkip(random, network, last, shape.skip);
    if (random.Chance(shape.affine_chain)) {
      last = AddAffine(random, network, last, RandomSkip(random, size, size));
    }
    last = AddActivation(network, last, RandomHinges(random, size, shape.relu_only, hinges_left));
  }
  network.output =
      AddAffine(random, network, last, RandomDense(random, shape.outputs, SizeOf(network, last)));
  MaybeSkip(random, network, network.output, shape.skip);
  return network;
}

namespace {

ir::ConvMap RandomConv(Random& random, const ir::ImageShape& big, int64_t small_c) {
  ir::ConvMap map;
  map.big_h = big.h, map.big_w = big.w, map.big_c = big.c;
  map.small_c = small_c;
  map.kernel_h = random.Int(1, std::min<int64_t>(3, big.h));
  map.kernel_w = random.Int(1, std::min<int64_t>(3, big.w));
  map.stride_h = random.Int(1, 2);
  map.stride_w = random.Int(1, 2);
  map.pad_top = random.Int(0, map.kernel_h - 1);
  map.pad_left = random.Int(0, map.kernel_w - 1);
  const bool dilate = big.h > 2 * (map.kernel_h - 1) && big.w > 2 * (map.kernel_w - 1) && random.Chance(0.2);
  map.dilation_h = map.dilation_w = dilate ? 2 : 1;
  const auto count = [](int64_t size, int64_t pad, int64_t kernel, int64_t dilation, int64_t stride) {
    return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  map.small_h = count(big.h, map.pad_top, map.kernel_h, map.dilation_h, map.stride_h);
  map.small_w = count(big.w, map.pad_left, map.kernel_w, map.dilation_w, map.stride_w);
  const int64_t taps = map.kernel_h * map.kernel_w * big.c;
  map.kernel = random.Normals(taps * small_c, 1.2 / std::sqrt(static_cast<double>(taps)));
  return map;
}

// A 3x3 (or smaller) convolution that keeps the image's shape, for residual blocks.
ir::ConvMap SameConv(Random& random, const ir::ImageShape& image) {
  ir::ConvMap map;
  map.big_h = image.h, map.big_w = image.w, map.big_c = image.c;
  map.small_h = image.h, map.small_w = image.w, map.small_c = image.c;
  map.kernel_h = map.kernel_w = 3;
  map.pad_top = map.pad_left = 1;
  map.kernel = random.Normals(9 * image.c * image.c, 0.4 / std::sqrt(static_cast<double>(image.c)));
  return map;
}

ir::NodeId AddConv(Random& random, ir::Network& network, ir::NodeId from, ir::ConvMap map) {
  const ir::ImageShape image = map.transposed ? ir::ImageShape{map.big_h, map.big_w, map.big_c}
                                              : ir::ImageShape{map.small_h, map.small_w, map.small_c};
  const ir::NodeId id = AddAffine(random, network, from, std::make_shared<ir::LinearMap>(std::move(map)));
  network.nodes[static_cast<size_t>(id)].image = image;
  return id;
}

ir::ConvMap RandomTransposed(Random& random, const ir::ImageShape& small, int64_t big_c) {
  ir::ConvMap map;
  map.small_h = small.h, map.small_w = small.w, map.small_c = small.c;
  map.transposed = true;
  map.big_c = big_c;
  map.kernel_h = map.kernel_w = 2;
  map.stride_h = map.stride_w = 2;
  map.big_h = 2 * small.h, map.big_w = 2 * small.w;
  map.kernel = random.Normals(4 * small.c * big_c, 0.8);
  return map;
}

}  // namespace

ir::Network RandomImageNetwork(Random& random, const ImageNetworkShape& shape) {
  ir::Network network;
  ir::NodeId last = AddInput(network, shape.height * shape.width * shape.channels,
                             {shape.height, shape.width, shape.channels});
  for (int64_t pixel = 0; pixel < shape.height * shape.width; ++pixel) {
    for (int64_t c = 0; c < shape.channels; ++c)
      network.input_order.push_back(c * shape.height * shape.width + pixel);
  }
  int64_t hinges_left = shape.max_hinges;
  const auto activate = [&](ir::NodeId from) {
    return AddActivation(network, from, RandomHinges(random, SizeOf(network, from), 0.4, hinges_left));
  };
  for (int64_t l = 0; l < shape.layers; ++l) {
    const ir::ImageShape image = network.nodes[static_cast<size_t>(last)].image;
    if (random.Chance(shape.skip)) {
      ir::NodeId inner = activate(AddConv(random, network, last, SameConv(random, image)));
      inner = AddConv(random, network, inner, SameConv(random, image));
      network.nodes[static_cast<size_t>(inner)].terms.push_back(
          {last, std::make_shared<ir::LinearMap>(ir::IdentityMap{SizeOf(network, last)})});
      last = activate(inner);
    } else if (image.h * image.w <= 6 && random.Chance(0.5)) {
      last = activate(
          AddConv(random, network, last, RandomTransposed(random, image, random.Int(1, shape.max_channels))));
    } else {
      last = activate(
          AddConv(random, network, last, RandomConv(random, image, random.Int(1, shape.max_channels))));
    }
  }
  network.output =
      AddAffine(random, network, last, RandomDense(random, shape.outputs, SizeOf(network, last)));
  return network;
}

}  // namespace espalier::testing
