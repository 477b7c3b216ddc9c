// Builds an untrained ir::Network layer by layer; channels-last inside, ONNX order at input and output.
// Arguments are checked by the caller (spec.cc). Coefficients are float32 values, as training keeps them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "verifier/ir/network.h"
#include "verifier/train/spec.h"

namespace espalier::train {

struct ConvSpec {
  int64_t channels = 0, kernel = 3, stride = 1;
  std::array<int64_t, 4> padding = {0, 0, 0, 0};  // top, left, bottom, right
};

class NetworkBuilder {
 public:
  explicit NetworkBuilder(uint64_t seed) : seed_(seed) {}

  bool started() const { return !network_.nodes.empty(); }
  bool is_image() const { return Last().image.c > 0; }
  int64_t channels() const { return is_image() ? Last().image.c : Last().size; }
  bool Fits(const ConvSpec& conv) const;

  void Input(const Shape& shape);  // {C, H, W} or {N}
  void Normalise(const std::vector<double>& mean, const std::vector<double>& deviation);
  void Conv(const ConvSpec& conv);
  bool Relu();  // false: there is no affine node to follow
  void Dense(int64_t width, double gain = 1.0);
  void Block(int64_t channels, int64_t stride);
  absl::StatusOr<BuiltNetwork> Finish() &&;

 private:
  const ir::NetworkNode& Last() const { return network_.nodes.back(); }
  ir::LinearMapPtr ConvMap(ir::NodeId from, const ConvSpec& conv, double gain = 1.0);
  ir::NodeId AddAffine(std::vector<ir::AffineTerm> terms, ir::ImageShape image);
  ir::NodeId AddRelu(ir::NodeId argument);
  std::vector<double> NormalWeights(int64_t count, int64_t fan_in);

  uint64_t seed_;
  uint64_t stream_ = 0;  // of random numbers; one per weight array
  Shape input_shape_;
  ir::Network network_;
};

}  // namespace espalier::train
