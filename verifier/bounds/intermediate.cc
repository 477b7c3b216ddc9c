#include "verifier/bounds/intermediate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verifier/base/status.h"
#include "verifier/bounds/interval.h"

namespace espalier::bounds {
namespace {

// Below this many operations a float32 screening pass costs more than it saves.
constexpr double kScreenFlops = 2e8;

// Bounds one layer after another; holds what all layers share.
class LayerSweep {
 public:
  LayerSweep(const Plan& plan, const IntermediateSettings& settings, StopToken stop, DomainBounds& result)
      : plan_(plan), settings_(settings), stop_(stop), result_(result), interval_(plan), optimiser_(plan) {}

  absl::Status Run();

 private:
  absl::Status Layer(int activation);
  HostRows RowsOf(int activation, const LayerBox& box, bool all) const;
  // Certified float32 bounds; tightens `box` and leaves the undecided neurons' rows in `rows`.
  absl::Status Screen(int activation, LayerBox& box, HostRows& rows);
  absl::Status Bound(int activation, const HostRows& rows, LayerBox& box);
  int64_t IterationsFor(int activation, int64_t rows);
  void Tighten(const HostRows& rows, const std::vector<double>& lower, int64_t n, LayerBox& box) const;

  const Plan& plan_;
  const IntermediateSettings& settings_;
  StopToken stop_;
  DomainBounds& result_;
  IntervalPass interval_;
  Optimiser<float> optimiser_;
  Relaxation<float> relaxation32_;
  Relaxation<double> relaxation64_;
  double flops_left_ = 0;
};

absl::Status LayerSweep::Run() {
  const InputBoxes& boxes = result_.boxes;
  flops_left_ = settings_.max_flops;
  result_.layers.assign(plan_.activations().size(), {});
  const size_t inputs = static_cast<size_t>(plan_.node(0).size);
  std::vector<double> low(boxes.lower.begin(), boxes.lower.begin() + static_cast<int64_t>(inputs));
  std::vector<double> high(boxes.upper.begin(), boxes.upper.begin() + static_cast<int64_t>(inputs));
  for (size_t i = inputs; i < boxes.lower.size(); ++i) {
    low[i % inputs] = std::min(low[i % inputs], boxes.lower[i]);
    high[i % inputs] = std::max(high[i % inputs], boxes.upper[i]);
  }
  ESPALIER_RETURN_IF_ERROR(interval_.Start(boxes.lower, boxes.upper, boxes.domains));
  ESPALIER_ASSIGN_OR_RETURN(result_.magnitudes, Magnitudes::Make(plan_, low, high, result_.layers));
  ESPALIER_ASSIGN_OR_RETURN(relaxation32_, Relaxation<float>::Make(plan_, result_.layers, boxes.domains));
  ESPALIER_ASSIGN_OR_RETURN(relaxation64_, Relaxation<double>::Make(plan_, result_.layers, boxes.domains));
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    if (stop_.StopRequested()) result_.complete = false;
    ESPALIER_RETURN_IF_ERROR(Layer(static_cast<int>(a)));
    ESPALIER_RETURN_IF_ERROR(result_.magnitudes.Extend(plan_, result_.layers));
  }
  return absl::OkStatus();
}

HostRows LayerSweep::RowsOf(int activation, const LayerBox& box, bool all) const {
  const PlanNode& node = plan_.node(plan_.activations()[static_cast<size_t>(activation)]);
  const ir::HingeLayer& hinge = plan_.hinge(activation);
  const auto n = static_cast<size_t>(node.size);
  HostRows rows;
  rows.start = node.predecessor;
  for (size_t k = 0; k < box.lower.size(); ++k) {
    const size_t i = k % n;
    const bool stable = box.lower[k] >= 0 || box.upper[k] <= 0 || hinge.left[i] == hinge.right[i];
    if (stable && !all) continue;
    for (double sign : {1.0, -1.0}) {
      rows.domain.push_back(static_cast<int32_t>(k / n));
      rows.neuron.push_back(static_cast<int32_t>(i));
      rows.sign.push_back(sign);
    }
  }
  return rows;
}

// Rows come in pairs (+, -): lower bound of the neuron and of its negation.
void LayerSweep::Tighten(const HostRows& rows, const std::vector<double>& lower, int64_t n, LayerBox& box) const {
  for (size_t r = 0; r < lower.size(); ++r) {
    const auto at = static_cast<size_t>(rows.domain[r] * n + rows.neuron[r]);
    if (rows.sign[r] > 0) {
      if (lower[r] > box.lower[at]) box.lower[at] = lower[r];
    } else if (-lower[r] < box.upper[at]) {
      box.upper[at] = -lower[r];
    }
  }
}

int64_t LayerSweep::IterationsFor(int activation, int64_t rows) {
  if (settings_.iterations <= 0 || rows == 0) return 0;
  const ir::NodeId id = plan_.activations()[static_cast<size_t>(activation)];
  const double per_iteration = 2.0 * static_cast<double>(rows) * plan_.flops_until(id);
  const double share = flops_left_ / 2.0;  // keep half for the layers that follow
  const auto affordable = static_cast<int64_t>(share / std::max(per_iteration, 1.0));
  const int64_t iterations = std::min(settings_.iterations, affordable);
  flops_left_ -= static_cast<double>(iterations) * per_iteration;
  return iterations >= 3 ? iterations : 0;
}

absl::Status LayerSweep::Screen(int activation, LayerBox& box, HostRows& rows) {
  auto& backend = plan_.backend();
  const int64_t block = RowsPerBlock(plan_);
  const int64_t n = plan_.node(rows.start).size;
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> bound, backend::Allocate<double>(backend, block));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<double> error, backend::Allocate<double>(backend, block));
  for (int64_t begin = 0; begin < rows.count() && !stop_.StopRequested(); begin += block) {
    const HostRows part = rows.Slice(begin, std::min(begin + block, rows.count()), n, 0);
    ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device, DeviceRows<float>::Make(plan_, part, result_.boxes));
    BackwardInput<float> in = device.Input(relaxation32_);
    in.magnitudes = &result_.magnitudes;
    ESPALIER_RETURN_IF_ERROR(optimiser_.pass().Run(in, {.bound = bound.data(), .error = error.data()}));
    std::vector<double> lower(static_cast<size_t>(part.count())), allowance(lower.size());
    backend.Download(bound.data(), part.count() * 8, lower.data());
    backend.Download(error.data(), part.count() * 8, allowance.data());
    for (size_t r = 0; r < lower.size(); ++r) lower[r] -= 1.0001 * allowance[r];
    Tighten(part, lower, n, box);
  }
  rows = RowsOf(activation, box, false);
  return absl::OkStatus();
}

absl::Status LayerSweep::Bound(int activation, const HostRows& rows, LayerBox& box) {
  const int64_t block = RowsPerBlock(plan_);
  const int64_t n = plan_.node(rows.start).size;
  const int64_t iterations = IterationsFor(activation, rows.count());
  for (int64_t begin = 0; begin < rows.count() && !stop_.StopRequested(); begin += block) {
    const HostRows part = rows.Slice(begin, std::min(begin + block, rows.count()), n, 0);
    Slopes<float> slopes;
    if (iterations > 0) {
      ESPALIER_ASSIGN_OR_RETURN(const DeviceRows<float> device, DeviceRows<float>::Make(plan_, part, result_.boxes));
      BackwardInput<float> in = device.Input(relaxation32_);
      in.slopes = &slopes;
      ESPALIER_RETURN_IF_ERROR(optimiser_.StartSlopes(in, slopes));
      OptimiseResult optimised;
      ESPALIER_RETURN_IF_ERROR(optimiser_.Run(in, {.iterations = iterations, .alpha_rate = settings_.alpha_rate},
                                              nullptr, stop_, optimised));
    }
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> lower,
                              CertifiedBounds(plan_, part, result_.boxes, relaxation64_, result_.magnitudes,
                                              iterations > 0 ? &slopes : nullptr, nullptr));
    Tighten(part, lower, n, box);
  }
  return absl::OkStatus();
}

absl::Status LayerSweep::Layer(int activation) {
  LayerBox& box = result_.layers[static_cast<size_t>(activation)];
  ESPALIER_RETURN_IF_ERROR(interval_.PreActivation(activation, box));
  if (settings_.backward && result_.complete) {
    if (!settings_.intersect_interval) {
      std::fill(box.lower.begin(), box.lower.end(), -std::numeric_limits<double>::infinity());
      std::fill(box.upper.begin(), box.upper.end(), std::numeric_limits<double>::infinity());
    }
    HostRows rows = RowsOf(activation, box, !settings_.intersect_interval);
    const double flops = static_cast<double>(rows.count()) * plan_.flops_until(rows.start);
    // The first layer's interval bounds are exact up to rounding: nothing to gain.
    const bool first = activation == 0 && settings_.intersect_interval && plan_.node(rows.start).terms.size() == 1 &&
                       plan_.node(rows.start).terms[0].predecessor == 0;
    if (!first && settings_.intersect_interval && flops > kScreenFlops) {
      ESPALIER_RETURN_IF_ERROR(Screen(activation, box, rows));
    }
    if (!first) ESPALIER_RETURN_IF_ERROR(Bound(activation, rows, box));
  }
  ESPALIER_RETURN_IF_ERROR(interval_.SetPreActivation(activation, box));
  ESPALIER_RETURN_IF_ERROR(relaxation32_.AddLayer(plan_, activation, box));
  return relaxation64_.AddLayer(plan_, activation, box);
}

}  // namespace

int64_t RowsPerBlock(const Plan& plan) {
  return std::clamp<int64_t>((int64_t{1} << 22) / std::max<int64_t>(plan.largest_node(), 1), 32, 4096);
}

absl::StatusOr<DomainBounds> ComputeIntermediate(const Plan& plan, const InputBoxes& boxes,
                                                 const IntermediateSettings& settings, StopToken stop) {
  DomainBounds result;
  result.boxes = boxes;
  LayerSweep sweep(plan, settings, stop, result);
  ESPALIER_RETURN_IF_ERROR(sweep.Run());
  return result;
}

}  // namespace espalier::bounds
