// Random image networks keep their function when they are lowered: convolutions, normalisation, grafts in
// several spellings, residual sums, pooling, layout changes, in any order. A failure prints its seed.
#include <gtest/gtest.h>

#include "tests/unit/ops/lower_graphs.h"

namespace espalier::ops {
namespace {

using List = std::vector<int64_t>;

class RandomImageGraph {
 public:
  explicit RandomImageGraph(unsigned seed)
      : random_(seed),
        channels_(Pick(1, 3)),
        height_(Pick(4, 6)),
        width_(Pick(4, 6)),
        builder_(StartShape(), seed) {}

  ir::Graph Build() {
    value_ = builder_.input();
    if (flat_) value_ = Node("Reshape", {value_, builder_.Ints({1, channels_, height_, width_})});
    if (last_) value_ = Node("Transpose", {value_}, {{"perm", List{0, 3, 1, 2}}});
    const int steps = Pick(2, 8);
    for (int s = 0; s < steps; ++s) Step();
    if (Chance(0.3)) return builder_.Build(value_);
    const int flat = Node("Flatten", {Chance(0.3) ? ToChannelsLast() : value_});
    const int64_t size = channels_ * height_ * width_;
    const int dense = Node("Gemm", {flat, builder_.Random({size, 4}), builder_.Random({4})});
    return builder_.Build(Chance(0.5) ? dense
                                      : Node("Gemm", {Graft(dense, {1, 4}), builder_.Random({4, 3})}));
  }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool Chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int Node(const std::string& op, std::vector<int> inputs, Attributes attributes = {}) {
    return builder_.Node(op, std::move(inputs), std::move(attributes));
  }
  Shape StartShape() {
    flat_ = Chance(0.2);
    last_ = !flat_ && Chance(0.3);
    if (flat_) return {1, channels_ * height_ * width_};
    return last_ ? Shape{1, height_, width_, channels_} : Shape{1, channels_, height_, width_};
  }
  int ToChannelsLast() { return Node("Transpose", {value_}, {{"perm", List{0, 2, 3, 1}}}); }
  Shape PerChannel() const { return {channels_, 1, 1}; }
  Shape PerNeuron() const { return {1, channels_, height_, width_}; }

  int Conv(int64_t out, int kernel) {
    const int64_t pad = kernel / 2;
    const std::vector<int> inputs{value_, builder_.Random({out, channels_, kernel, kernel}),
                                  builder_.Random({out})};
    return Node("Conv", inputs, {{"pads", List{pad, pad, pad, pad}}});
  }

  int Graft(int x, const Shape& shape) {
    std::vector<uint8_t> mask(static_cast<size_t>(*ElementCount(shape)));
    for (uint8_t& m : mask) m = Chance(0.5);
    const int line = Node("Add", {Node("Mul", {x, builder_.Random(shape)}), builder_.Random(shape)});
    const int relu = Node("Relu", {x});
    if (Chance(0.5)) return Node("Where", {builder_.Constant(Tensor::FromBools(shape, mask)), line, relu});
    const int m = builder_.Doubles(shape, std::vector<double>(mask.begin(), mask.end()));
    const int keep = Node("Sub", {builder_.Doubles({}, {1}), m});
    return Node("Add", {Node("Mul", {m, line}), Node("Mul", {relu, keep})});
  }

  void Step() {
    switch (Pick(0, 9)) {
      case 0:
      case 1: {
        const int64_t out = Pick(1, 4);
        value_ = Conv(out, Chance(0.7) ? 3 : 1);
        channels_ = out;
        return;
      }
      case 2: {
        std::vector<double> variance = builder_.Sample(channels_);
        for (double& v : variance) v = v * v + 0.1;
        value_ = Node("BatchNormalization",
                      {value_, builder_.Random({channels_}), builder_.Random({channels_}),
                       builder_.Random({channels_}), builder_.Doubles({channels_}, variance)});
        return;
      }
      case 3:
        value_ = Node(Chance(0.8) ? "Relu" : "Abs", {value_});
        return;
      case 4:
        value_ = Graft(value_, Chance(0.5) ? PerChannel() : PerNeuron());
        return;
      case 5: {  // residual block
        const int before = value_;
        value_ = Node("Relu", {Conv(channels_, 3)});
        value_ = Node("Add", {before, Conv(channels_, 3)});
        return;
      }
      case 6:
        value_ =
            Node("Mul", {Node("Sub", {value_, builder_.Random(PerChannel())}), builder_.Random(PerNeuron())});
        return;
      case 7:
        if (height_ < 2 || width_ < 2) return;
        value_ = Node(Chance(0.5) ? "MaxPool" : "AveragePool", {value_}, {{"kernel_shape", List{2, 2}}});
        --height_;
        --width_;
        return;
      case 8:
        value_ = Node("Pad", {value_, builder_.Ints({0, 0, 1, 0, 0, 0, 0, 1})});
        ++height_;
        ++width_;
        return;
      default: {  // through a channels-last stretch and back
        const int nhwc = Node("Relu", {ToChannelsLast()});
        value_ = Node("Transpose", {nhwc}, {{"perm", List{0, 3, 1, 2}}});
      }
    }
  }

  std::mt19937 random_;
  int64_t channels_, height_, width_;
  bool flat_ = false, last_ = false;
  GraphBuilder builder_;
  int value_ = 0;
};

TEST(LoweringRandom, KeepsTheFunction) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const ir::Graph graph = RandomImageGraph(seed).Build();
    LowerAndCompare(graph, 3);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace espalier::ops
