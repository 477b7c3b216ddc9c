#include "verifier/graft/compare.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/graft/pair_bounds.h"

namespace espalier::graft {
namespace {

absl::Status CheckRequest(const ir::Network& base, const Dataset& data, const std::vector<int64_t>& order,
                          const CompareSettings& settings) {
  if (!(settings.epsilon >= 0) || !std::isfinite(settings.epsilon)) {
    return absl::InvalidArgumentError("epsilon must be a number that is not negative");
  }
  if (!(settings.low <= settings.high)) {
    return absl::InvalidArgumentError("the lowest input value is above the highest");
  }
  if (settings.alpha_iterations < 0 || settings.samples < 0) {
    return absl::InvalidArgumentError("samples and iterations must not be negative");
  }
  if (data.sample_size() != base.input_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a sample has ", data.sample_size(), " values, the networks take ", base.input_size()));
  }
  for (int64_t i : order) {
    if (i < 0 || i >= data.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no sample ", i, ": the data have ", data.size()));
    }
  }
  return absl::OkStatus();
}

std::vector<double> Stored(const ir::Network& network, const std::vector<double>& input) {
  std::vector<double> stored;
  for (int64_t element : network.input_order) stored.push_back(input[static_cast<size_t>(element)]);
  return stored;
}

std::ptrdiff_t Predicted(const ir::Network& network, const std::vector<double>& input) {
  const std::vector<double> y =
      ir::EvaluateNodes(network, Stored(network, input))[static_cast<size_t>(network.output)];
  return std::max_element(y.begin(), y.end()) - y.begin();
}

double DifferenceAt(const ir::Network& joined, const std::vector<double>& stored) {
  double largest = 0;
  const std::vector<std::vector<double>> values = ir::EvaluateNodes(joined, stored);
  for (double d : values[static_cast<size_t>(joined.output)]) largest = std::max(largest, std::fabs(d));
  return largest;
}

int64_t Hinges(const ir::Network& network) {
  int64_t count = 0;
  for (const ir::NetworkNode& node : network.nodes) count += ir::CountHinges(node.hinge);
  return count;
}

}  // namespace

absl::StatusOr<Differences> CompareNetworks(const ir::Network& base, const ir::Network& other,
                                            const Samples& samples, const CompareSettings& settings,
                                            backend::Backend& backend, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckRequest(base, *samples.data, samples.order, settings));
  // |difference| is the same both ways; gaps are tightest towards the network with more lines.
  const bool swap = Hinges(base) < Hinges(other);
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<PairBounder> bounder,
                            PairBounder::Make(swap ? other : base, swap ? base : other,
                                              {.alpha_iterations = settings.alpha_iterations}, backend));
  Differences differences;
  const auto count = std::min(static_cast<size_t>(settings.samples), samples.order.size());
  std::vector<float> x(static_cast<size_t>(samples.data->sample_size()));
  for (size_t s = 0; s < count; ++s) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while two networks were compared");
    samples.data->CopySample(samples.order[s], x.data());
    const std::vector<double> input(x.begin(), x.end());
    differences.disagree += Predicted(base, input) != Predicted(other, input);
    std::vector<double> centre, lower, upper;
    for (double v : Stored(bounder->joined(), input)) {
      centre.push_back(std::clamp(v, settings.low, settings.high));
      lower.push_back(std::clamp(v - settings.epsilon, settings.low, settings.high));
      upper.push_back(std::clamp(v + settings.epsilon, settings.low, settings.high));
    }
    ESPALIER_ASSIGN_OR_RETURN(const PairBounds pair,
                              bounder->Bound(lower, upper, static_cast<uint64_t>(samples.order[s]), stop));
    differences.bound.push_back(pair.best);
    differences.found.push_back(
        std::max(DifferenceAt(bounder->joined(), centre), DifferenceAt(bounder->joined(), pair.point)));
    if (settings.progress) settings.progress(static_cast<int64_t>(s) + 1, static_cast<int64_t>(count));
  }
  return differences;
}

}  // namespace espalier::graft
