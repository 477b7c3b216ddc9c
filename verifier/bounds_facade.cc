// The façade's ComputeBounds: interval, CROWN or alpha-CROWN bounds of outputs, property rows and layers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/backend/backend.h"
#include "verifier/base/status.h"
#include "verifier/bounds/in_blocks.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/interval.h"
#include "verifier/bounds/refine.h"
#include "verifier/bounds/rounding.h"
#include "verifier/device.h"
#include "verifier/model_impl.h"
#include "verifier/search/problem.h"
#include "verifier/verifier.h"

namespace espalier {
namespace {

bounds::IntermediateSettings SettingsOf(const BoundsRequest& request) {
  bounds::IntermediateSettings settings;
  settings.backward = request.method != BoundMethod::kInterval;
  settings.intersect_interval = request.intersect_interval;
  settings.every_neuron = true;
  // Optimising every neuron of a large layer takes too long; one float64 pass over all of them does not.
  settings.screening = request.method == BoundMethod::kAlphaCrown;
  const bool optimise = request.method == BoundMethod::kAlphaCrown && request.optimise_intermediate;
  settings.iterations = optimise ? request.iterations : 0;
  return settings;
}

absl::StatusOr<bounds::DomainBounds> LayersOf(const bounds::Plan& plan, const bounds::InputBoxes& box,
                                              const BoundsRequest& request, StopToken stop) {
  const bounds::IntermediateSettings optimised = SettingsOf(request);
  bounds::IntermediateSettings plain = optimised;
  plain.iterations = 0;
  ESPALIER_ASSIGN_OR_RETURN(bounds::DomainBounds layers, bounds::ComputeIntermediate(plan, box, plain, stop));
  if (optimised.iterations == 0) return layers;
  return bounds::OptimiseBounds(plan, optimised, stop, std::move(layers));
}

// ± every output, then every row of the property's disjuncts on this box, as single rows.
bounds::HostRows AllRows(const search::Problem& problem, const ir::Network& network) {
  bounds::HostRows rows;
  rows.start = network.output;
  search::Target outputs;
  outputs.rows = 1;
  outputs.rhs = {0.0};
  for (int64_t j = 0; j < problem.outputs; ++j) {
    for (double sign : {1.0, -1.0}) {
      outputs.output.assign(static_cast<size_t>(problem.outputs), 0.0);
      outputs.output[static_cast<size_t>(j)] = sign;
      search::AppendRow(problem, outputs, {1.0}, 0, {}, rows);
    }
  }
  for (search::Target target : problem.targets) {
    std::fill(target.rhs.begin(), target.rhs.end(), 0.0);  // bounds are of the left side
    for (int64_t r = 0; r < target.rows; ++r) {
      search::AppendRow(problem, target, search::UnitWeights(target, r), 0, {}, rows);
    }
  }
  return rows;
}

// sum |row_j| (|W| max(|l|, |u|))_j: the scale of rounding errors of a folded row.
double FoldScale(const ir::LinearMap& map, const double* row, const bounds::LayerBox& box) {
  std::vector<double> magnitude;
  for (size_t k = 0; k < box.lower.size(); ++k) {
    magnitude.push_back(std::max(std::fabs(box.lower[k]), std::fabs(box.upper[k])));
  }
  const std::vector<double> reach = ir::AbsApply(map, magnitude);
  double scale = 0;
  for (size_t j = 0; j < reach.size(); ++j) scale += std::fabs(row[j]) * reach[j];
  return scale;
}

absl::StatusOr<std::vector<double>> IntervalRows(const bounds::Plan& plan, const bounds::DomainBounds& layers,
                                                 const bounds::HostRows& rows) {
  bounds::IntervalPass pass(plan);
  ESPALIER_RETURN_IF_ERROR(pass.Start(layers.boxes.lower, layers.boxes.upper, 1));
  bounds::LayerBox box;
  for (size_t a = 0; a < layers.layers.size(); ++a) {
    ESPALIER_RETURN_IF_ERROR(pass.PreActivation(static_cast<int>(a), box));
    for (size_t i = 0; i < box.lower.size(); ++i) {  // what backward rows found out is kept
      box.lower[i] = std::max(box.lower[i], layers.layers[a].lower[i]);
      box.upper[i] = std::min(box.upper[i], layers.layers[a].upper[i]);
    }
    ESPALIER_RETURN_IF_ERROR(pass.SetPreActivation(static_cast<int>(a), box));
  }
  // A row's coefficients are folded into the output's own map first: an interval of the combination, not a
  // combination of intervals.
  const ir::NetworkNode& output = plan.network().nodes[static_cast<size_t>(rows.start)];
  std::vector<double> lower(static_cast<size_t>(rows.count()), 0.0);
  for (size_t r = 0; r < lower.size(); ++r) {
    const double* row = rows.coefficients.data() + static_cast<int64_t>(r) * output.size;
    double scale = 0;
    size_t sums = static_cast<size_t>(output.size) + 8;
    for (int64_t j = 0; j < output.size; ++j) {
      const double term = row[j] * output.bias[static_cast<size_t>(j)];
      lower[r] += term;
      scale += std::fabs(term);
    }
    for (const ir::AffineTerm& term : output.terms) {
      ESPALIER_RETURN_IF_ERROR(pass.Node(term.predecessor, box));
      std::vector<double> folded(box.lower.size(), 0.0);
      ir::ApplyTransposed(*term.map, row, folded.data());
      for (size_t k = 0; k < folded.size(); ++k) {
        lower[r] += folded[k] >= 0 ? folded[k] * box.lower[k] : folded[k] * box.upper[k];
      }
      scale += FoldScale(*term.map, row, box);
      sums += box.lower.size();
    }
    const size_t inputs = layers.boxes.lower.size();
    for (size_t k = 0; k < inputs && !rows.input_coefficients.empty(); ++k) {
      const double c = rows.input_coefficients[r * inputs + k];
      lower[r] += c >= 0 ? c * layers.boxes.lower[k] : c * layers.boxes.upper[k];
      scale += std::fabs(c) * std::max(std::fabs(layers.boxes.lower[k]), std::fabs(layers.boxes.upper[k]));
    }
    lower[r] -= bounds::Gamma<double>(static_cast<double>(sums + inputs)) * scale;
  }
  return lower;
}

// Rows that are asked for are few beside those of the layers: where these were optimised, the last step of
// tightness costs next to nothing.
int64_t RowIterations(const BoundsRequest& request) {
  return std::max<int64_t>(1, (request.optimise_intermediate ? 2 : 1) * request.iterations);
}

// Rows that fit in memory together.
absl::StatusOr<std::vector<double>> BackwardTogether(const bounds::Scope& scope, const bounds::HostRows& rows,
                                                     const BoundsRequest& request, StopToken stop) {
  if (request.method != BoundMethod::kAlphaCrown) return bounds::CertifiedBounds(scope, rows, nullptr);
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DeviceRows<float> device,
                            bounds::DeviceRows<float>::Make(*scope.plan, rows, *scope.boxes));
  bounds::BackwardInput<float> in = device.Input(*scope.relaxation32);
  bounds::Slopes<float> slopes;
  in.slopes = &slopes;
  bounds::Optimiser<float> optimiser(*scope.plan);
  ESPALIER_RETURN_IF_ERROR(optimiser.StartSlopes(in, slopes));
  bounds::OptimiseResult result;
  ESPALIER_RETURN_IF_ERROR(optimiser.Run(in, {.iterations = RowIterations(request)}, nullptr, stop, result));
  return bounds::CertifiedBounds(scope, rows, &slopes);
}

absl::StatusOr<std::vector<double>> BackwardRows(const bounds::Plan& plan, const bounds::DomainBounds& layers,
                                                 const bounds::HostRows& rows, const BoundsRequest& request,
                                                 StopToken stop) {
  ESPALIER_ASSIGN_OR_RETURN(const bounds::Relaxation<double> certified,
                            bounds::Relaxation<double>::Make(plan, layers.layers, 1));
  bounds::Relaxation<float> relaxation;
  if (request.method == BoundMethod::kAlphaCrown) {
    ESPALIER_ASSIGN_OR_RETURN(relaxation, bounds::Relaxation<float>::Make(plan, layers.layers, 1));
  }
  const bounds::Scope scope{&plan, &layers.boxes, &relaxation, &certified, &layers.magnitudes};
  const int64_t outputs = plan.node(rows.start).size, inputs = plan.node(0).size;
  std::vector<double> lower(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  const auto part = [&](int64_t begin, int64_t end) -> absl::Status {
    ESPALIER_ASSIGN_OR_RETURN(
        const std::vector<double> certain,
        BackwardTogether(scope, rows.Slice(begin, end, outputs, inputs), request, stop));
    std::copy(certain.begin(), certain.end(), lower.begin() + begin);
    return absl::OkStatus();
  };
  ESPALIER_RETURN_IF_ERROR(bounds::InBlocks(plan.backend(), rows.count(), rows.count(), stop, part));
  return lower;
}

LayerBounds DescribeLayer(const ir::Network& network, const bounds::Plan& plan, int activation,
                          const bounds::LayerBox& box) {
  const ir::NetworkNode& node = network.nodes[static_cast<size_t>(
      plan.node(plan.activations()[static_cast<size_t>(activation)]).predecessor)];
  LayerBounds layer;
  layer.name = node.name;
  layer.lower = box.lower;
  layer.upper = box.upper;
  // Channels-last (h, w, c) to the ONNX tensor's (c, h, w).
  for (int64_t i = 0; i < node.size; ++i) {
    int64_t onnx = i;
    if (node.image.c > 0) {
      const int64_t c = i % node.image.c, pixel = i / node.image.c;
      onnx = c * node.image.h * node.image.w + pixel;
    }
    layer.onnx_index.push_back(onnx);
  }
  return layer;
}

}  // namespace

absl::StatusOr<BoundsReport> ComputeBounds(const Model& model, const api::Property& property, int box_index,
                                           const BoundsRequest& request, StopToken stop) {
  const absl::Time start = absl::Now();
  const Model::Impl& impl = model.impl();
  if (!impl.network.has_value()) return impl.lowering_status;
  const ir::Network& network = *impl.network;
  ESPALIER_ASSIGN_OR_RETURN(search::Problem problem, search::MakeProblem(network, property));
  if (box_index < 0 || static_cast<size_t>(box_index) >= problem.boxes.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("box ", box_index, " does not exist: the query has ", problem.boxes.size()));
  }
  std::erase_if(problem.targets, [&](const search::Target& t) { return t.box != box_index; });
  const api::Box& box = problem.boxes[static_cast<size_t>(box_index)];
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<backend::Backend> backend,
                            MakeBackend({.device = request.device}, {.threads = request.threads}));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<bounds::Plan> plan, bounds::Plan::Make(network, *backend));
  ESPALIER_ASSIGN_OR_RETURN(const bounds::DomainBounds layers,
                            LayersOf(*plan, {1, box.lower, box.upper}, request, stop));
  const bounds::HostRows rows = AllRows(problem, network);
  std::vector<double> lower(static_cast<size_t>(rows.count()), -std::numeric_limits<double>::infinity());
  if (request.method == BoundMethod::kInterval || request.intersect_interval) {
    ESPALIER_ASSIGN_OR_RETURN(lower, IntervalRows(*plan, layers, rows));
  }
  if (request.method != BoundMethod::kInterval) {
    ESPALIER_ASSIGN_OR_RETURN(const std::vector<double> backward,
                              BackwardRows(*plan, layers, rows, request, stop));
    for (size_t r = 0; r < lower.size(); ++r)
      lower[r] = std::isnan(lower[r]) ? backward[r] : std::max(lower[r], backward[r]);
  }
  if (stop.StopRequested()) return absl::DeadlineExceededError("stopped before the bounds were complete");
  BoundsReport report;
  size_t at = 0;
  for (int64_t j = 0; j < problem.outputs; ++j) {
    report.output_lower.push_back(lower[at++]);
    report.output_upper.push_back(-lower[at++]);
  }
  report.row_lower.resize(property.disjuncts.size());
  for (const search::Target& target : problem.targets) {
    std::vector<double>& out = report.row_lower[static_cast<size_t>(target.disjunct)];
    for (int64_t r = 0; r < target.rows; ++r) out.push_back(lower[at++]);
  }
  for (size_t a = 0; request.layers && a < layers.layers.size(); ++a) {
    report.layers.push_back(DescribeLayer(network, *plan, static_cast<int>(a), layers.layers[a]));
  }
  report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return report;
}

}  // namespace espalier
