#include "verifier/ir/network.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace espalier::ir {
namespace {

absl::Status Broken(const NetworkNode& node, const char* what) {
  return absl::InternalError(absl::StrCat("network node '", node.name, "': ", what));
}

bool AllFinite(const std::vector<double>& values) {
  for (double v : values) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

bool CoefficientsFinite(const LinearMap& map) {
  if (const auto* m = std::get_if<ScaleMap>(&map)) return AllFinite(m->scale);
  if (const auto* m = std::get_if<DenseMap>(&map)) return AllFinite(m->weights);
  if (const auto* m = std::get_if<ConvMap>(&map)) return AllFinite(m->kernel);
  if (const auto* m = std::get_if<SparseMap>(&map)) return AllFinite(m->value);
  return true;
}

absl::Status CheckAffine(const Network& network, int index) {
  const NetworkNode& node = network.nodes[static_cast<size_t>(index)];
  if (static_cast<int64_t>(node.bias.size()) != node.size) return Broken(node, "bias size");
  if (!AllFinite(node.bias)) return Broken(node, "non-finite bias");
  for (const AffineTerm& term : node.terms) {
    if (term.predecessor < 0 || term.predecessor >= index) return Broken(node, "order");
    if (InputSize(*term.map) != network.nodes[static_cast<size_t>(term.predecessor)].size ||
        OutputSize(*term.map) != node.size) {
      return Broken(node, "map size");
    }
    if (!CoefficientsFinite(*term.map)) return Broken(node, "non-finite coefficient");
  }
  return absl::OkStatus();
}

absl::Status CheckActivation(const Network& network, int index) {
  const NetworkNode& node = network.nodes[static_cast<size_t>(index)];
  if (node.predecessor <= 0 || node.predecessor >= index) return Broken(node, "order");
  const NetworkNode& input = network.nodes[static_cast<size_t>(node.predecessor)];
  if (input.kind != NodeKind::kAffine) return Broken(node, "an activation must follow an affine node");
  const auto n = static_cast<size_t>(node.size);
  if (input.size != node.size || node.hinge.left.size() != n || node.hinge.right.size() != n ||
      node.hinge.intercept.size() != n) {
    return Broken(node, "activation size");
  }
  if (!AllFinite(node.hinge.left) || !AllFinite(node.hinge.right) || !AllFinite(node.hinge.intercept)) {
    return Broken(node, "non-finite hinge");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNetwork(const Network& network) {
  if (network.nodes.empty() || network.nodes[0].kind != NodeKind::kInput) {
    return absl::InternalError("network: node 0 must be the input");
  }
  if (static_cast<int64_t>(network.input_order.size()) != network.input_size()) {
    return absl::InternalError("network: input order");
  }
  for (int i = 1; i < static_cast<int>(network.nodes.size()); ++i) {
    const NetworkNode& node = network.nodes[static_cast<size_t>(i)];
    if (node.kind == NodeKind::kInput) return Broken(node, "second input");
    if (node.image.c > 0 && node.image.h * node.image.w * node.image.c != node.size)
      return Broken(node, "image size");
    absl::Status status =
        node.kind == NodeKind::kAffine ? CheckAffine(network, i) : CheckActivation(network, i);
    if (!status.ok()) return status;
  }
  if (network.output <= 0 || network.output >= static_cast<int>(network.nodes.size()) ||
      network.nodes[static_cast<size_t>(network.output)].kind != NodeKind::kAffine) {
    return absl::InternalError("network: the output must be an affine node");
  }
  return absl::OkStatus();
}

std::vector<std::vector<double>> EvaluateNodes(const Network& network, const std::vector<double>& input) {
  std::vector<std::vector<double>> values(network.nodes.size());
  values[0] = input;
  for (size_t i = 1; i < network.nodes.size(); ++i) {
    const NetworkNode& node = network.nodes[i];
    if (node.kind == NodeKind::kAffine) {
      values[i] = node.bias;
      for (const AffineTerm& term : node.terms) {
        Apply(*term.map, values[static_cast<size_t>(term.predecessor)].data(), values[i].data());
      }
      continue;
    }
    const std::vector<double>& x = values[static_cast<size_t>(node.predecessor)];
    values[i].resize(x.size());
    for (size_t j = 0; j < x.size(); ++j) {
      values[i][j] = node.hinge.intercept[j] + (x[j] < 0 ? node.hinge.left[j] : node.hinge.right[j]) * x[j];
    }
  }
  return values;
}

int64_t CountHinges(const HingeLayer& layer) {
  int64_t count = 0;
  for (size_t i = 0; i < layer.left.size(); ++i) count += layer.left[i] != layer.right[i];
  return count;
}

int64_t CountGrafted(const HingeLayer& layer) {
  int64_t count = 0;
  for (size_t i = 0; i < layer.left.size(); ++i) {
    const bool linear = layer.left[i] == layer.right[i];
    const bool plain = (layer.left[i] == 1 || layer.left[i] == 0) && layer.intercept[i] == 0;
    count += linear && !plain;
  }
  return count;
}

}  // namespace espalier::ir
