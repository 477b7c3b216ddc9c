#include "verifier/graft/score_margin.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/backend/neuron_math.h"
#include "verifier/base/status.h"
#include "verifier/bounds/optimise.h"

namespace espalier::graft {
namespace {

using bounds::Plan;

// Rows label - other, other classes ascending.
bounds::HostRows MarginRows(const Plan& plan, int32_t label) {
  bounds::HostRows rows;
  rows.start = plan.network().output;
  const auto classes = static_cast<size_t>(plan.node(rows.start).size);
  for (size_t other = 0; other < classes; ++other) {
    if (other == static_cast<size_t>(label)) continue;
    rows.domain.push_back(0);
    std::vector<double> row(classes, 0);
    row[static_cast<size_t>(label)] = 1;
    row[other] = -1;
    rows.coefficients.insert(rows.coefficients.end(), row.begin(), row.end());
  }
  return rows;
}

// Backward passes of one sample's rows after the other, and what of them the contributions need.
class MarginPass {
 public:
  MarginPass(const Plan& plan, const SampleBounds& bounds)
      : plan_(plan), bounds_(bounds), optimiser_(plan), points_(plan) {}

  // Bounds the sample's rows; what follows is about the one with the smallest bound (NaN counts as smallest).
  absl::Status Run(int64_t sample, int32_t label, int64_t iterations, StopToken stop);
  double bound() const { return bound_; }
  double attained() const { return attained_; }
  // contribution[neurons] of one activation.
  void Contributions(int activation, double* contribution) const;

 private:
  std::vector<float> HardestRow(const backend::Buffer<float>& from, int64_t width) const {
    std::vector<float> to(static_cast<size_t>(width));
    plan_.backend().Download(from.data() + hardest_ * width, width * static_cast<int64_t>(sizeof(float)),
                             to.data());
    return to;
  }
  const bounds::Relaxation<float>& relaxation() const {
    return bounds_.relaxations[static_cast<size_t>(sample_)];
  }

  const Plan& plan_;
  const SampleBounds& bounds_;
  bounds::Optimiser<float> optimiser_;
  PointPass points_;
  int64_t sample_ = 0;
  int64_t hardest_ = 0;
  double bound_ = 0, attained_ = 0;
  bounds::Slopes<float> slopes_;  // empty: the lines' own
  std::vector<backend::Buffer<float>> saved_;
  PointValues at_corner_;
};

absl::Status MarginPass::Run(int64_t sample, int32_t label, int64_t iterations, StopToken stop) {
  auto& backend = plan_.backend();
  sample_ = sample;
  const bounds::HostRows rows = MarginRows(plan_, label);
  ESPALIER_ASSIGN_OR_RETURN(const auto device,
                            bounds::DeviceRows<float>::Make(plan_, rows, BoxOfSample(bounds_.boxes, sample)));
  bounds::BackwardInput<float> in = device.Input(relaxation());
  if (iterations > 0) {
    in.slopes = &slopes_;
    ESPALIER_RETURN_IF_ERROR(optimiser_.StartSlopes(in, slopes_));
    bounds::OptimiseResult optimised;
    ESPALIER_RETURN_IF_ERROR(optimiser_.Run(in, {.iterations = iterations}, nullptr, stop, optimised));
    in.use_best = true;
  }
  const int64_t inputs = plan_.node(0).size;
  ESPALIER_ASSIGN_OR_RETURN(const auto bound, backend::Allocate<double>(backend, rows.count()));
  ESPALIER_ASSIGN_OR_RETURN(const auto corner, backend::Allocate<float>(backend, rows.count() * inputs));
  ESPALIER_RETURN_IF_ERROR(
      optimiser_.pass().Run(in, {.bound = bound.data(), .corner = corner.data(), .saved = &saved_}));
  std::vector<double> bounds(static_cast<size_t>(rows.count()));
  backend.Download(bound.data(), rows.count() * static_cast<int64_t>(sizeof(double)), bounds.data());
  const auto smallest = std::min_element(bounds.begin(), bounds.end(), [](double a, double b) {
    return a < b || (std::isnan(a) && !std::isnan(b));
  });
  hardest_ = smallest - bounds.begin();
  bound_ = *smallest;
  ESPALIER_RETURN_IF_ERROR(points_.Forward(1, HardestRow(corner, inputs), at_corner_));
  attained_ = 0;
  const size_t classes = at_corner_.outputs.size();
  const double* row = rows.coefficients.data() + static_cast<size_t>(hardest_) * classes;
  for (size_t k = 0; k < classes; ++k) attained_ += row[k] * static_cast<double>(at_corner_.outputs[k]);
  return absl::OkStatus();
}

void MarginPass::Contributions(int activation, double* contribution) const {
  const auto a = static_cast<size_t>(activation);
  const std::vector<int32_t>& unstable = relaxation().unstable(activation);
  if (saved_[a].data() == nullptr || unstable.empty()) return;  // no way from here to the output
  const auto width = static_cast<int64_t>(unstable.size());
  const std::vector<float> coefficient = HardestRow(saved_[a], width);
  std::vector<float> slope;
  if (!slopes_.best.empty()) slope = HardestRow(slopes_.best[a], width);
  const ir::HingeLayer& hinge = plan_.hinge(activation);
  const bounds::LayerBox& box = bounds_.layers[a];
  const size_t first = static_cast<size_t>(sample_) * hinge.left.size();
  for (size_t k = 0; k < unstable.size(); ++k) {
    const auto i = static_cast<size_t>(unstable[k]);
    const double left = hinge.left[i], right = hinge.right[i];
    const auto z = static_cast<double>(at_corner_.pre_activations[a][i]);
    const auto lines = backend::LinesOfHinge<double>(left, right, box.lower[first + i], box.upper[first + i]);
    const auto c = static_cast<double>(coefficient[k]);
    const bool free = (left < right) == (c >= 0);
    const double chosen = slope.empty() ? lines.free_start : static_cast<double>(slope[k]);
    const double line = free ? chosen * z : lines.chord_slope * z + lines.chord_intercept;
    // Rounding may carry a point beyond the neuron's bounds, where the gap changes its sign.
    contribution[i] = std::max(0.0, c * ((z < 0 ? left : right) * z - line));
  }
}

}  // namespace

absl::Status ScoreMargins(const Plan& plan, const SampleBounds& bounds, const std::vector<int32_t>& labels,
                          int64_t iterations, StopToken stop, MarginScores& scores) {
  MarginPass pass(plan, bounds);
  const size_t samples = labels.size();
  scores.bound.assign(samples, std::numeric_limits<double>::quiet_NaN());
  scores.attained.assign(samples, 0);
  scores.contribution.resize(plan.activations().size());
  for (size_t a = 0; a < scores.contribution.size(); ++a) {
    scores.contribution[a].assign(samples * plan.hinge(static_cast<int>(a)).left.size(), 0);
  }
  for (size_t s = 0; s < samples; ++s) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while scoring margins");
    ESPALIER_RETURN_IF_ERROR(pass.Run(static_cast<int64_t>(s), labels[s], iterations, stop));
    if (!std::isfinite(pass.bound())) continue;
    scores.bound[s] = pass.bound();
    scores.attained[s] = pass.attained();
    for (size_t a = 0; a < scores.contribution.size(); ++a) {
      const size_t n = plan.hinge(static_cast<int>(a)).left.size();
      pass.Contributions(static_cast<int>(a), scores.contribution[a].data() + s * n);
    }
  }
  return absl::OkStatus();
}

}  // namespace espalier::graft
