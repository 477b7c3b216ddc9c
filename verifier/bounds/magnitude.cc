#include "verifier/bounds/magnitude.h"

#include <algorithm>
#include <cmath>

#include "verifier/base/status.h"
#include "verifier/bounds/rounding.h"

namespace espalier::bounds {
namespace {

// NaN when either is.
double Largest(double a, double b) {
  return std::isnan(b) ? b : std::max(std::fabs(a), std::fabs(b));
}

std::vector<double> OfHinge(const ir::HingeLayer& hinge, const LayerBox& box) {
  const size_t n = hinge.left.size();
  std::vector<double> magnitude(n, 0.0);
  for (size_t k = 0; k < box.lower.size(); ++k) {
    const size_t i = k % n;
    // On one side only that side's slope counts; an interval with an end that is no number is on neither.
    const double left = std::fabs(hinge.left[i]), right = std::fabs(hinge.right[i]);
    const double steep = box.upper[k] <= 0 ? left : box.lower[k] >= 0 ? right : std::max(left, right);
    const double reach =
        (steep * Largest(box.lower[k], box.upper[k]) + std::fabs(hinge.intercept[i])) * kAgainstRounding;
    if (!(reach <= magnitude[i]) && !std::isnan(magnitude[i])) magnitude[i] = reach;  // NaN stays
  }
  return magnitude;
}

}  // namespace

absl::StatusOr<Magnitudes> Magnitudes::Make(const Plan& plan, const std::vector<double>& input_lower,
                                            const std::vector<double>& input_upper,
                                            const std::vector<LayerBox>& bounds) {
  Magnitudes m;
  m.host_.resize(plan.nodes().size());
  m.f32_.resize(plan.nodes().size());
  m.f64_.resize(plan.nodes().size());
  for (size_t i = 0; i < input_lower.size(); ++i) {
    m.host_[0].push_back(Largest(input_lower[i], input_upper[i]));
    m.total_ += m.host_[0].back();
  }
  ESPALIER_RETURN_IF_ERROR(m.Extend(plan, bounds));
  return m;
}

absl::Status Magnitudes::Extend(const Plan& plan, const std::vector<LayerBox>& bounds) {
  for (size_t id = 1; id < plan.nodes().size(); ++id) {
    if (!host_[id].empty()) continue;
    const PlanNode& node = plan.nodes()[id];
    if (node.kind == ir::NodeKind::kActivation) {
      const LayerBox& box = bounds[static_cast<size_t>(node.activation)];
      if (!box.lower.empty()) host_[id] = OfHinge(plan.hinge(node.activation), box);
      for (double z : host_[id]) total_ += z;
      continue;
    }
    const bool ready = std::all_of(node.terms.begin(), node.terms.end(), [&](const PlanTerm& term) {
      return !host_[static_cast<size_t>(term.predecessor)].empty();
    });
    if (ready) ESPALIER_RETURN_IF_ERROR(AddAffine(plan, static_cast<ir::NodeId>(id)));
  }
  return absl::OkStatus();
}

absl::Status Magnitudes::AddAffine(const Plan& plan, ir::NodeId id) {
  backend::Backend& backend = plan.backend();
  const PlanNode& node = plan.node(id);
  std::vector<double> v;
  for (double b : plan.network().nodes[static_cast<size_t>(id)].bias) v.push_back(std::fabs(b));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> sum, ToDevice<double>(backend, v));
  for (const PlanTerm& term : node.terms) {
    ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> z,
                              ToDevice<double>(backend, host_[static_cast<size_t>(term.predecessor)]));
    backend.f64().Forward(*term.absolute, 1, z.data(), sum.data(), /*accumulate=*/true);
  }
  ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
  backend.Download(sum.data(), node.size * static_cast<int64_t>(sizeof(double)), v.data());
  std::vector<float> rounded;
  for (double& value : v) {
    value *= kAgainstRounding;
    total_ += value;
    rounded.push_back(RoundUp<float>(value));
  }
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> wide, ToDevice<double>(backend, v));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> narrow, ToDevice<float>(backend, rounded));
  f64_[static_cast<size_t>(id)] = std::make_shared<const backend::Buffer<double>>(std::move(wide));
  f32_[static_cast<size_t>(id)] = std::make_shared<const backend::Buffer<float>>(std::move(narrow));
  host_[static_cast<size_t>(id)] = std::move(v);
  return absl::OkStatus();
}

}  // namespace espalier::bounds
