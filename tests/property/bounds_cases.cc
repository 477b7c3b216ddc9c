#include "tests/property/bounds_cases.h"

#include <utility>

namespace espalier::testing {
namespace {

ir::Network MakeNetwork(Random& random, uint64_t seed) {
  if (seed % 4 == 0) {
    return RandomImageNetwork(random, {.height = random.Int(3, 6),
                                       .width = random.Int(3, 5),
                                       .channels = random.Int(1, 3),
                                       .outputs = random.Int(1, 4),
                                       .layers = random.Int(1, 3)});
  }
  NetworkShape shape;
  shape.inputs = random.Int(1, 6);
  shape.outputs = random.Int(1, 5);
  shape.layers = random.Int(1, 4);
  shape.width = random.Int(2, 12);
  shape.skip = random.Chance(0.5) ? 0.5 : 0.0;
  return RandomNetwork(random, shape);
}

}  // namespace

BoundsCase::BoundsCase(uint64_t seed) : BoundsCase(Random(seed), {}, seed % 3 == 0 ? 0.2 : 1.0) {
  network = MakeNetwork(random, seed);
  box = RandomBox(random, network.input_size(), seed % 3 == 0 ? 0.2 : 1.0);
  plan = *bounds::Plan::Make(network, *backend);
}

BoundsCase::BoundsCase(Random r, ir::Network made, double max_radius)
    : random(std::move(r)), network(std::move(made)) {
  backend = *backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0});
  if (network.nodes.empty()) return;
  box = RandomBox(random, network.input_size(), max_radius);
  plan = *bounds::Plan::Make(network, *backend);
}

bounds::DomainBounds BoundsCase::Layers(const bounds::IntermediateSettings& settings) const {
  auto layers = bounds::ComputeIntermediate(*plan, Boxes(), settings, StopToken());
  EXPECT_TRUE(layers.ok()) << layers.status();
  return *std::move(layers);
}

std::vector<std::vector<double>> BoundsCase::Points(size_t count) {
  std::vector<std::vector<double>> points;
  const size_t n = box.lower.size();
  const size_t corners = n <= 6 ? size_t{1} << n : 64;
  std::vector<double> centre;
  for (size_t i = 0; i < n; ++i) centre.push_back(0.5 * box.lower[i] + 0.5 * box.upper[i]);
  points.push_back(centre);
  for (size_t c = 0; c < corners; ++c) {
    std::vector<double> corner;
    for (size_t i = 0; i < n; ++i) {
      const bool high = n <= 6 ? (c >> i & 1) != 0 : random.Chance(0.5);
      corner.push_back(high ? box.upper[i] : box.lower[i]);
    }
    points.push_back(corner);
  }
  while (points.size() < count) points.push_back(RandomPoint(random, box));
  return points;
}

bounds::HostRows BoundsCase::OutputRows(int64_t count) {
  bounds::HostRows rows;
  rows.start = network.output;
  rows.coefficients = random.Normals(count * network.output_size(), 1.0);
  rows.domain.assign(static_cast<size_t>(count), 0);
  return rows;
}

double BoundsCase::RowValue(const bounds::HostRows& rows, size_t r,
                            const std::vector<std::vector<double>>& values) const {
  const std::vector<double>& output = values[static_cast<size_t>(network.output)];
  long double sum = 0;  // the sample's own rounding must not decide
  for (size_t j = 0; j < output.size(); ++j) {
    sum += static_cast<long double>(rows.coefficients[r * output.size() + j]) *
           static_cast<long double>(output[j]);
  }
  return static_cast<double>(sum);
}

}  // namespace espalier::testing
