#include "verifier/train/device_node.h"

#include <algorithm>

namespace espalier::train {
namespace {

std::vector<float> ToFloats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

bool AnyNonZero(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return v != 0; });
}

bool IsTrained(const ir::LinearMap& map) {
  if (const auto* conv = std::get_if<ir::ConvMap>(&map)) return !conv->transposed;
  return std::holds_alternative<ir::DenseMap>(map);
}

// One bias a channel where a convolution writes the node, else one a neuron.
int64_t TrainedBiases(const ir::NetworkNode& node) {
  for (const ir::AffineTerm& term : node.terms) {
    if (std::holds_alternative<ir::ConvMap>(*term.map) && node.image.c > 0) return node.image.c;
  }
  return node.size;
}

absl::Status MakeTerms(const ir::NetworkNode& node, backend::Backend& backend, DeviceNode& made) {
  for (const ir::AffineTerm& term : node.terms) {
    DeviceTerm& device = made.terms.emplace_back();
    device.predecessor = term.predecessor;
    if (!IsTrained(*term.map)) {
      ESPALIER_ASSIGN_OR_RETURN(device.prepared, backend.Prepare(term.map));
      continue;
    }
    ESPALIER_ASSIGN_OR_RETURN(device.trained, backend.training().MakeTrainable(*term.map));
    ESPALIER_ASSIGN_OR_RETURN(device.velocity,
                              backend::Allocate<float>(backend, device.trained->weight_count()));
    backend.f32().Fill(device.trained->weight_count(), 0.0f, device.velocity.data());
    made.trains_bias = true;
  }
  return absl::OkStatus();
}

// What all biases of a channel have in common is trained; what is left (a folded shift next to zero padding)
// is fixed.
absl::Status MakeBias(const ir::NetworkNode& node, backend::Backend& backend, DeviceNode& made) {
  std::vector<double> fixed = node.bias;
  if (made.trains_bias) {
    const auto count = static_cast<size_t>(TrainedBiases(node));
    const ir::ImageShape& image = node.image;  // a channel's bias away from the border
    const auto centre = static_cast<size_t>(image.h / 2 * image.w + image.w / 2);
    const size_t middle = count == fixed.size() ? 0 : centre * count;
    const std::vector<double> shared(fixed.begin() + static_cast<std::ptrdiff_t>(middle),
                                     fixed.begin() + static_cast<std::ptrdiff_t>(middle + count));
    for (size_t i = 0; i < fixed.size(); ++i) fixed[i] -= shared[i % count];
    ESPALIER_ASSIGN_OR_RETURN(made.bias, Parameter::Make(backend, ToFloats(shared)));
  }
  made.has_fixed_bias = AnyNonZero(fixed);
  if (!made.has_fixed_bias) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(made.fixed_bias, backend::Allocate<float>(backend, node.size));
  backend.Upload(ToFloats(fixed).data(), node.size * static_cast<int64_t>(sizeof(float)),
                 made.fixed_bias.data());
  return absl::OkStatus();
}

absl::Status MakeHinges(const ir::NetworkNode& node, backend::Backend& backend, DeviceNode& made) {
  const ir::HingeLayer& hinge = node.hinge;
  ESPALIER_ASSIGN_OR_RETURN(made.left, Parameter::Make(backend, ToFloats(hinge.left)));
  ESPALIER_ASSIGN_OR_RETURN(made.right, Parameter::Make(backend, ToFloats(hinge.right)));
  ESPALIER_ASSIGN_OR_RETURN(made.intercept, Parameter::Make(backend, ToFloats(hinge.intercept)));
  std::vector<float> mask(hinge.left.size());
  for (size_t i = 0; i < mask.size(); ++i) {
    const bool line = hinge.left[i] == hinge.right[i];
    const bool identity = line && hinge.left[i] == 1 && hinge.intercept[i] == 0;
    mask[i] = line && !identity ? 1.0f : 0.0f;
    made.trains_lines = made.trains_lines || mask[i] != 0;
  }
  ESPALIER_ASSIGN_OR_RETURN(made.mask, backend::Allocate<float>(backend, node.size));
  backend.Upload(mask.data(), node.size * static_cast<int64_t>(sizeof(float)), made.mask.data());
  return absl::OkStatus();
}

std::vector<double> ToDoubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

absl::StatusOr<DeviceNode> MakeDeviceNode(const ir::NetworkNode& node, backend::Backend& backend,
                                          int64_t rows) {
  DeviceNode made;
  made.kind = node.kind;
  made.size = node.size;
  made.predecessor = node.predecessor;
  ESPALIER_ASSIGN_OR_RETURN(made.gradient, backend::Allocate<float>(backend, rows * node.size));
  if (node.kind == ir::NodeKind::kInput) return made;
  ESPALIER_ASSIGN_OR_RETURN(made.value, backend::Allocate<float>(backend, rows * node.size));
  if (node.kind == ir::NodeKind::kActivation) {
    ESPALIER_RETURN_IF_ERROR(MakeHinges(node, backend, made));
    return made;
  }
  ESPALIER_RETURN_IF_ERROR(MakeTerms(node, backend, made));
  ESPALIER_RETURN_IF_ERROR(MakeBias(node, backend, made));
  return made;
}

void WriteTrained(const DeviceNode& node, backend::Backend& backend, ir::NetworkNode& target) {
  for (size_t t = 0; t < node.terms.size(); ++t) {
    const DeviceTerm& term = node.terms[t];
    if (term.trained == nullptr) continue;
    const std::vector<double> weights =
        ToDoubles(Download(backend, term.trained->weights(), term.trained->weight_count()));
    ir::LinearMap map = *target.terms[t].map;
    if (auto* dense = std::get_if<ir::DenseMap>(&map)) dense->weights = weights;
    if (auto* conv = std::get_if<ir::ConvMap>(&map)) conv->kernel = weights;
    target.terms[t] = {term.predecessor, std::make_shared<ir::LinearMap>(std::move(map)), 0};
  }
  if (node.trains_bias) {
    const std::vector<float> shared = Download(backend, node.bias.value(), node.bias.size());
    std::vector<float> fixed(static_cast<size_t>(node.size), 0.0f);
    if (node.has_fixed_bias) fixed = Download(backend, node.fixed_bias.data(), node.size);
    for (size_t i = 0; i < fixed.size(); ++i) {
      target.bias[i] = static_cast<double>(fixed[i] + shared[i % shared.size()]);
    }
    target.bias_roundings = 0;
  }
  if (!node.trains_lines) return;
  target.hinge.left = ToDoubles(Download(backend, node.left.value(), node.size));
  target.hinge.right = ToDoubles(Download(backend, node.right.value(), node.size));
  target.hinge.intercept = ToDoubles(Download(backend, node.intercept.value(), node.size));
  target.hinge.roundings = 0;
}

}  // namespace espalier::train
