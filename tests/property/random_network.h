// Seeded random networks, graphs and properties for tests. The same seed gives the same object on every
// machine (only std::mt19937_64, whose output the standard fixes, is used), so a failure is repeated from the
// seed it prints.
//
//   SCOPED_TRACE(absl::StrCat("seed ", seed));
//   Random random(seed);
//   ir::Network network = RandomNetwork(random, {.inputs = 3, .outputs = 2, .max_hinges = 10});
//   api::Property property = RandomProperty(random, network, {.boxes = 2, .disjuncts = 3, .rows = 2});
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "verifier/api/property.h"
#include "verifier/ir/graph.h"
#include "verifier/ir/network.h"

namespace espalier::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double Uniform(double low, double high);
  double Normal();                         // approximately: the sum of twelve uniforms, bounded by 6
  int64_t Int(int64_t low, int64_t high);  // both ends included
  bool Chance(double probability);
  std::vector<double> Normals(int64_t count, double scale);

 private:
  std::mt19937_64 engine_;
};

struct NetworkShape {
  int64_t inputs = 3;
  int64_t outputs = 2;
  int64_t layers = 3;              // activation layers
  int64_t width = 5;               // neurons of an activation layer, 1 to this
  int64_t max_hinges = 1'000'000;  // neurons with left != right over all layers; further ones become grafts
  double skip = 0.3;               // probability of a second term from a random earlier node
  double affine_chain = 0.2;       // probability of an affine node directly behind another
  double relu_only = 0.2;          // probability that a layer holds nothing but ReLUs
};

// Dense layers with skips: identity, scale, dense and sparse maps; ReLU, leaky, absolute-value and concave
// hinges, grafts and pruned neurons mixed within a layer; a random permutation as input_order.
ir::Network RandomNetwork(Random& random, const NetworkShape& shape);

struct ImageNetworkShape {
  int64_t height = 5, width = 4, channels = 2;
  int64_t outputs = 3;
  int64_t layers = 2;
  int64_t max_channels = 3;
  int64_t max_hinges = 1'000'000;  // as above
  double skip = 0.4;               // probability that an image layer is a residual block
};

// Convolutions (strides, paddings, dilations), transposed convolutions and residual blocks, then one dense
// layer. The input is stored channels-last and its ONNX order is (c, h, w).
ir::Network RandomImageNetwork(Random& random, const ImageNetworkShape& shape);

struct GraphShape {
  int64_t inputs = 3;
  int64_t outputs = 2;
  int64_t layers = 3;
  int64_t width = 5;
};

// An unprepared ONNX-level graph: Gemm or MatMul + Add, Relu, LeakyRelu, Abs, both common graft spellings,
// residual Add.
ir::Graph RandomGraph(Random& random, const GraphShape& shape);

// Centres in [-1, 1], radii up to max_radius, now and then a fixed input.
api::Box RandomBox(Random& random, int64_t inputs, double max_radius = 1.0);

// A point of the box; each coordinate is an end of its interval with probability 0.2.
std::vector<double> RandomPoint(Random& random, const api::Box& box);

struct PropertyShape {
  int64_t boxes = 1;  // all are upper limits
  int64_t disjuncts = 1;
  int64_t rows = 1;
  double input_terms = 0.15;  // probability that a row also reads inputs
  double max_radius = 1.0;
};

// Right-hand sides are set from samples so that about half of the properties are unsafe and most of the
// others are close to it.
api::Property RandomProperty(Random& random, const ir::Network& network, const PropertyShape& shape);

// Input in ONNX order -> stored order of the network.
std::vector<double> StoredOrder(const ir::Network& network, const std::vector<double>& input);

// max over the rows of (left side - rhs) at `input` (ONNX order) by plain double evaluation: <= 0 means that
// the rows hold. -infinity without rows. The box is not looked at.
double DisjunctMargin(const ir::Network& network, const api::Disjunct& disjunct,
                      const std::vector<double>& input);

}  // namespace espalier::testing
