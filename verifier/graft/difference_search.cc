#include "verifier/graft/difference_search.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::graft {
namespace {

int64_t Bytes(const std::vector<float>& values) {
  return static_cast<int64_t>(values.size() * sizeof(float));
}

}  // namespace

absl::Status DifferenceSearch::Allocate() {
  if (!values_.empty()) return absl::OkStatus();
  values_.resize(plan_.nodes().size());
  slopes_.resize(plan_.nodes().size());
  for (size_t i = 0; i < plan_.nodes().size(); ++i) {
    const int64_t count = kStarts * plan_.nodes()[i].size;
    ESPALIER_ASSIGN_OR_RETURN(values_[i], backend::Allocate<float>(plan_.backend(), count));
    ESPALIER_ASSIGN_OR_RETURN(slopes_[i], backend::Allocate<float>(plan_.backend(), count));
  }
  return absl::OkStatus();
}

absl::Status DifferenceSearch::Forward() {
  auto& backend = plan_.backend();
  auto& kernels = backend.f32();
  backend.Upload(x_.data(), Bytes(x_), values_[0].data());
  for (size_t i = 1; i < plan_.nodes().size(); ++i) {
    const bounds::PlanNode& node = plan_.nodes()[i];
    float* values = values_[i].data();
    if (node.kind == ir::NodeKind::kAffine) {
      kernels.FillRows(kStarts, node.size, node.f32.bias.data(), values);
      for (const bounds::PlanTerm& term : node.terms) {
        kernels.Forward(*term.map, kStarts, values_[static_cast<size_t>(term.predecessor)].data(), values,
                        true);
      }
      continue;
    }
    kernels.Fill(kStarts * node.size, 0.0f, values);
    kernels.Add(kStarts * node.size, values_[static_cast<size_t>(node.predecessor)].data(), values);
    kernels.Hinge(kStarts, node.size,
                  {node.f32.left.data(), node.f32.right.data(), node.f32.intercept.data()}, values,
                  slopes_[i].data());
  }
  return backend.Synchronise();
}

// Gradients overwrite the values, node by node from the output.
absl::Status DifferenceSearch::Backward() {
  auto& backend = plan_.backend();
  auto& kernels = backend.f32();
  std::vector<bool> reached(plan_.nodes().size(), false);
  const ir::NodeId output = plan_.network().output;
  backend.Upload(direction_.data(), Bytes(direction_), values_[static_cast<size_t>(output)].data());
  reached[static_cast<size_t>(output)] = true;
  for (ir::NodeId id = output; id > 0; --id) {
    if (!reached[static_cast<size_t>(id)]) continue;
    const bounds::PlanNode& node = plan_.node(id);
    float* gradient = values_[static_cast<size_t>(id)].data();
    if (node.kind == ir::NodeKind::kActivation) {
      const auto p = static_cast<size_t>(node.predecessor);
      kernels.Multiply(kStarts * node.size, slopes_[static_cast<size_t>(id)].data(), gradient);
      if (!reached[p]) kernels.Fill(kStarts * node.size, 0.0f, values_[p].data());
      kernels.Add(kStarts * node.size, gradient, values_[p].data());
      reached[p] = true;
      continue;
    }
    for (const bounds::PlanTerm& term : node.terms) {
      const auto p = static_cast<size_t>(term.predecessor);
      kernels.Backward(*term.map, kStarts, gradient, values_[p].data(), reached[p]);
      reached[p] = true;
    }
  }
  if (!reached[0]) kernels.Fill(kStarts * plan_.node(0).size, 0.0f, values_[0].data());
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  gradient_.resize(x_.size());
  backend.Download(values_[0].data(), Bytes(gradient_), gradient_.data());
  return absl::OkStatus();
}

// Remembers the best point and sets each start's direction: the output that differs most.
void DifferenceSearch::KeepBest(const std::vector<float>& output) {
  const int64_t n = plan_.node(plan_.network().output).size, inputs = plan_.node(0).size;
  direction_.assign(output.size(), 0.0f);
  for (int64_t s = 0; s < kStarts; ++s) {
    const float* y = output.data() + s * n;
    const float* worst =
        std::max_element(y, y + n, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    direction_[static_cast<size_t>(worst - output.data())] = *worst < 0 ? -1.0f : 1.0f;
    if (!(static_cast<double>(std::fabs(*worst)) > best_value_)) continue;
    best_value_ = static_cast<double>(std::fabs(*worst));
    best_.assign(x_.begin() + s * inputs, x_.begin() + (s + 1) * inputs);
  }
}

absl::StatusOr<std::vector<double>> DifferenceSearch::Run(const std::vector<double>& lower,
                                                          const std::vector<double>& upper, uint64_t seed) {
  ESPALIER_RETURN_IF_ERROR(Allocate());
  const size_t inputs = lower.size();
  std::mt19937_64 random(seed);
  std::vector<float> low(inputs), high(inputs);
  for (size_t j = 0; j < inputs; ++j) {  // inwards
    low[j] = bounds::RoundUp<float>(lower[j]);
    high[j] = bounds::RoundDown<float>(upper[j]);
  }
  x_.resize(static_cast<size_t>(kStarts) * inputs);
  for (size_t k = 0; k < x_.size(); ++k) {
    const size_t j = k % inputs;
    const double at = k < inputs ? 0.5 : static_cast<double>(random() >> 11) * 0x1p-53;
    x_[k] = std::clamp(static_cast<float>(lower[j] + at * (upper[j] - lower[j])), low[j],
                       std::max(low[j], high[j]));
  }
  best_value_ = -1;
  std::vector<float> output;
  for (int64_t step = 0;; ++step) {
    ESPALIER_RETURN_IF_ERROR(Forward());
    output.resize(static_cast<size_t>(kStarts * plan_.node(plan_.network().output).size));
    plan_.backend().Download(values_[static_cast<size_t>(plan_.network().output)].data(), Bytes(output),
                             output.data());
    KeepBest(output);
    if (step == kSteps) break;
    ESPALIER_RETURN_IF_ERROR(Backward());
    // Half the box at first, then geometrically down to a thousandth.
    const auto rate = static_cast<float>(0.25 * std::pow(0.004, static_cast<double>(step) / kSteps));
    for (size_t k = 0; k < x_.size(); ++k) {
      const size_t j = k % inputs;
      const float sign = gradient_[k] > 0 ? 1.0f : gradient_[k] < 0 ? -1.0f : 0.0f;
      x_[k] = std::clamp(x_[k] + rate * (high[j] - low[j]) * sign, low[j], std::max(low[j], high[j]));
    }
  }
  // An interval without a float32 value inside keeps its middle.
  std::vector<double> point(inputs);
  for (size_t j = 0; j < inputs; ++j) {
    point[j] =
        low[j] <= high[j] && !best_.empty() ? static_cast<double>(best_[j]) : 0.5 * lower[j] + 0.5 * upper[j];
  }
  return point;
}

absl::StatusOr<std::vector<float>> DifferenceSearch::Values(ir::NodeId node) {
  std::vector<float> values(static_cast<size_t>(kStarts * plan_.node(node).size));
  ESPALIER_RETURN_IF_ERROR(plan_.backend().Synchronise());
  plan_.backend().Download(values_[static_cast<size_t>(node)].data(), Bytes(values), values.data());
  return values;
}

}  // namespace espalier::graft
