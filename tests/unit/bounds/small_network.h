// Hand-made networks whose bounds can be checked on paper.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "verifier/backend/factory.h"
#include "verifier/bounds/intermediate.h"

namespace espalier::bounds {

struct DenseLayer {
  std::vector<std::vector<double>> weights;
  std::vector<double> bias;
};

// input -> dense -> hinge -> dense -> ... -> dense: hinges[k] stands between layers k and k + 1 and is (left,
// right, intercept) for all its neurons.
inline ir::Network DenseNetwork(int64_t inputs, const std::vector<DenseLayer>& layers,
                                const std::vector<std::vector<double>>& hinges) {
  ir::Network network;
  const auto add = [&](ir::NetworkNode node) {
    node.name = absl::StrCat("n", network.nodes.size());
    network.nodes.push_back(std::move(node));
    return static_cast<ir::NodeId>(network.nodes.size()) - 1;
  };
  ir::NetworkNode input;
  input.size = inputs;
  ir::NodeId last = add(std::move(input));
  for (int64_t i = 0; i < inputs; ++i) network.input_order.push_back(i);
  for (size_t k = 0; k < layers.size(); ++k) {
    ir::DenseMap map;
    map.rows = static_cast<int64_t>(layers[k].weights.size());
    map.cols = static_cast<int64_t>(layers[k].weights[0].size());
    for (const auto& row : layers[k].weights) map.weights.insert(map.weights.end(), row.begin(), row.end());
    ir::NetworkNode node;
    node.kind = ir::NodeKind::kAffine;
    node.size = map.rows;
    node.bias = layers[k].bias;
    node.terms = {{last, std::make_shared<ir::LinearMap>(std::move(map))}};
    const int64_t size = node.size;
    last = add(std::move(node));
    if (k == hinges.size()) break;
    ir::NetworkNode activation;
    activation.kind = ir::NodeKind::kActivation;
    activation.size = size;
    activation.predecessor = last;
    const auto n = static_cast<size_t>(size);
    activation.hinge = {std::vector<double>(n, hinges[k][0]), std::vector<double>(n, hinges[k][1]),
                        std::vector<double>(n, hinges[k][2])};
    last = add(std::move(activation));
  }
  network.output = last;
  return network;
}

// A network planned on one thread of the CPU, or on another device.
struct Planned {
  explicit Planned(ir::Network made, const backend::BackendFactory& make = backend::CpuFactory())
      : network(std::move(made)) {
    auto device = make({.threads = 1, .memory_bytes = 0});
    EXPECT_TRUE(device.ok()) << device.status();
    backend = *std::move(device);
    auto planned = Plan::Make(network, *backend);
    EXPECT_TRUE(planned.ok()) << planned.status();
    plan = *std::move(planned);
  }
  Planned(const Planned&) = delete;
  Planned& operator=(const Planned&) = delete;

  // Certified lower bounds of dense output rows over one box by plain CROWN.
  std::vector<double> Rows(const InputBoxes& boxes, const std::vector<double>& coefficients) const {
    const auto layers = ComputeIntermediate(*plan, boxes, {.intersect_interval = false}, StopToken());
    EXPECT_TRUE(layers.ok()) << layers.status();
    const auto relaxation = Relaxation<double>::Make(*plan, layers->layers, 1);
    EXPECT_TRUE(relaxation.ok()) << relaxation.status();
    HostRows rows;
    rows.start = network.output;
    rows.coefficients = coefficients;
    rows.domain.assign(coefficients.size() / static_cast<size_t>(network.output_size()), 0);
    const auto lower =
        CertifiedBounds({plan.get(), &boxes, nullptr, &*relaxation, &layers->magnitudes}, rows, nullptr);
    EXPECT_TRUE(lower.ok()) << lower.status();
    return *lower;
  }

  ir::Network network;
  std::unique_ptr<backend::Backend> backend;
  std::unique_ptr<Plan> plan;
};

inline const std::vector<double>& Relu() {
  static const auto* relu = new std::vector<double>{0, 1, 0};
  return *relu;
}

}  // namespace espalier::bounds
