// Small networks and data sets for the tests of grafting.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "verifier/backend/backend.h"
#include "verifier/base/dataset.h"
#include "verifier/ir/network.h"

namespace espalier::graft {

struct Dense {
  std::vector<std::vector<double>> weights;
  std::vector<double> bias;
};

// input -> dense -> ReLU -> dense -> ... -> dense.
inline ir::Network ReluNetwork(int64_t inputs, const std::vector<Dense>& layers) {
  ir::Network network;
  network.nodes.emplace_back().size = inputs;
  network.input_order.resize(static_cast<size_t>(inputs));
  std::iota(network.input_order.begin(), network.input_order.end(), 0);
  for (size_t k = 0; k < layers.size(); ++k) {
    ir::DenseMap map;
    map.rows = static_cast<int64_t>(layers[k].weights.size());
    map.cols = static_cast<int64_t>(layers[k].weights[0].size());
    for (const auto& row : layers[k].weights) map.weights.insert(map.weights.end(), row.begin(), row.end());
    const auto before = static_cast<ir::NodeId>(network.nodes.size()) - 1;
    ir::NetworkNode affine;
    affine.kind = ir::NodeKind::kAffine;
    affine.size = map.rows;
    affine.bias = layers[k].bias;
    affine.terms = {{before, std::make_shared<ir::LinearMap>(std::move(map))}};
    const auto n = static_cast<size_t>(affine.size);
    network.nodes.push_back(std::move(affine));
    network.output = before + 1;
    if (k + 1 == layers.size()) break;
    ir::NetworkNode relu;
    relu.kind = ir::NodeKind::kActivation;
    relu.size = static_cast<int64_t>(n);
    relu.predecessor = before + 1;
    relu.hinge = {std::vector<double>(n, 0), std::vector<double>(n, 1), std::vector<double>(n, 0)};
    network.nodes.push_back(std::move(relu));
  }
  return network;
}

inline Dataset MakeData(int64_t inputs, const std::vector<std::vector<float>>& samples,
                        std::vector<int32_t> labels) {
  Dataset data;
  data.shape = {inputs};
  std::vector<float> values;
  for (const auto& sample : samples) values.insert(values.end(), sample.begin(), sample.end());
  data.values = std::move(values);
  data.labels = std::move(labels);
  return data;
}

inline std::vector<int64_t> AllOf(const Dataset& data) {
  std::vector<int64_t> order(static_cast<size_t>(data.size()));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

inline std::unique_ptr<backend::Backend> OneThread() {
  auto backend = backend::MakeCpuBackend({.threads = 1, .memory_bytes = 0});
  EXPECT_TRUE(backend.ok()) << backend.status();
  return *std::move(backend);
}

}  // namespace espalier::graft
