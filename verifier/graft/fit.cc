#include "verifier/graft/fit.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "verifier/base/status.h"
#include "verifier/bounds/plan.h"
#include "verifier/graft/score_samples.h"

namespace espalier::graft {
namespace {

// Float32 numbers, so that training and the exported model hold exactly these lines.
void SetLine(ir::HingeLayer& hinge, size_t neuron, double slope, double intercept) {
  hinge.left[neuron] = hinge.right[neuron] = static_cast<double>(static_cast<float>(slope));
  hinge.intercept[neuron] = static_cast<double>(static_cast<float>(intercept));
}

double HingeAt(const ir::HingeLayer& hinge, size_t neuron, double z) {
  return hinge.intercept[neuron] + (z < 0 ? hinge.left[neuron] : hinge.right[neuron]) * z;
}

// Least-squares lines of the old hinge on z[samples][n], for the neurons of the mask. Two passes over the
// samples: the sums of squares are taken about the means.
absl::Status FitLayer(const std::vector<float>& z, const std::vector<bool>& mask, ir::HingeLayer& hinge) {
  std::vector<size_t> at;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i]) at.push_back(i);
  }
  const size_t n = mask.size(), samples = z.size() / n;
  std::vector<double> mean_z(at.size()), mean_f(at.size()), variance(at.size()), covariance(at.size());
  for (size_t s = 0; s < samples; ++s) {
    for (size_t k = 0; k < at.size(); ++k) {
      const auto value = static_cast<double>(z[s * n + at[k]]);
      mean_z[k] += value;
      mean_f[k] += HingeAt(hinge, at[k], value);
    }
  }
  for (size_t k = 0; k < at.size(); ++k) {
    mean_z[k] /= static_cast<double>(samples);
    mean_f[k] /= static_cast<double>(samples);
    if (!std::isfinite(mean_f[k])) return absl::InvalidArgumentError("pre-activations are not finite");
  }
  for (size_t s = 0; s < samples; ++s) {
    for (size_t k = 0; k < at.size(); ++k) {
      const auto value = static_cast<double>(z[s * n + at[k]]);
      variance[k] += (value - mean_z[k]) * (value - mean_z[k]);
      covariance[k] += (value - mean_z[k]) * (HingeAt(hinge, at[k], value) - mean_f[k]);
    }
  }
  for (size_t k = 0; k < at.size(); ++k) {
    const auto [low, high] = std::minmax(hinge.left[at[k]], hinge.right[at[k]]);
    // Such a slope is an average of the two; rounding must not carry it outside.
    const double slope = variance[k] > 0 ? std::clamp(covariance[k] / variance[k], low, high) : 0.0;
    SetLine(hinge, at[k], slope, mean_f[k] - slope * mean_z[k]);
  }
  return absl::OkStatus();
}

// One forward pass of all samples, node after node; keeps the values that later nodes still read, on the
// host.
class LayerwiseFit {
 public:
  LayerwiseFit(const bounds::Plan& plan, const SampleReader& reader, ir::Network& grafted)
      : plan_(plan), reader_(reader), grafted_(grafted), values_(plan.nodes().size()) {}

  absl::Status Run(const Mask& mask, StopToken stop) {
    const size_t last = LastMasked(mask);
    std::vector<int> readers_left;
    for (const bounds::PlanNode& node : plan_.nodes()) readers_left.push_back(node.consumers);
    const auto release = [&](ir::NodeId id) {
      if (--readers_left[static_cast<size_t>(id)] == 0) values_[static_cast<size_t>(id)] = {};
    };
    values_[0] = reader_.Rows(0, reader_.count());
    for (size_t i = 1; i <= last; ++i) {
      const auto id = static_cast<ir::NodeId>(i);
      const bounds::PlanNode& node = plan_.node(id);
      if (node.kind == ir::NodeKind::kAffine) {
        ESPALIER_RETURN_IF_ERROR(Affine(id, stop));
        for (const bounds::PlanTerm& term : node.terms) release(term.predecessor);
        continue;
      }
      if (stop.StopRequested()) return absl::CancelledError("stopped while fitting lines");
      ESPALIER_RETURN_IF_ERROR(Activation(id, mask[static_cast<size_t>(node.activation)]));
      release(node.predecessor);
    }
    return absl::OkStatus();
  }

 private:
  // 0 when nothing is masked.
  size_t LastMasked(const Mask& mask) const {
    size_t last = 0;
    for (size_t a = 0; a < mask.size(); ++a) {
      if (std::find(mask[a].begin(), mask[a].end(), true) == mask[a].end()) continue;
      last = static_cast<size_t>(plan_.activations()[a]);
    }
    return last;
  }

  absl::Status Affine(ir::NodeId id, StopToken stop) {
    auto& backend = plan_.backend();
    const bounds::PlanNode& node = plan_.node(id);
    const auto bytes = [](int64_t count) { return count * static_cast<int64_t>(sizeof(float)); };
    std::vector<backend::Buffer<float>> inputs(node.terms.size());
    std::vector<const float*> input_of(plan_.nodes().size(), nullptr);
    for (size_t t = 0; t < inputs.size(); ++t) {
      const ir::NodeId from = node.terms[t].predecessor;
      ESPALIER_ASSIGN_OR_RETURN(inputs[t],
                                backend::Allocate<float>(backend, kSampleBatch * plan_.node(from).size));
      input_of[static_cast<size_t>(from)] = inputs[t].data();
    }
    ESPALIER_ASSIGN_OR_RETURN(const backend::Buffer<float> out,
                              backend::Allocate<float>(backend, kSampleBatch * node.size));
    std::vector<float>& values = values_[static_cast<size_t>(id)];
    values.resize(static_cast<size_t>(reader_.count() * node.size));
    for (int64_t begin = 0; begin < reader_.count(); begin += kSampleBatch) {
      if (stop.StopRequested()) return absl::CancelledError("stopped while fitting lines");
      const int64_t rows = std::min(kSampleBatch, reader_.count() - begin);
      for (size_t t = 0; t < inputs.size(); ++t) {
        const ir::NodeId from = node.terms[t].predecessor;
        const int64_t size = plan_.node(from).size;
        backend.Upload(values_[static_cast<size_t>(from)].data() + begin * size, bytes(rows * size),
                       inputs[t].data());
        input_of[static_cast<size_t>(from)] = inputs[t].data();
      }
      ForwardAffine(plan_, id, rows, input_of, out.data());
      ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
      backend.Download(out.data(), bytes(rows * node.size), values.data() + begin * node.size);
    }
    return absl::OkStatus();
  }

  absl::Status Activation(ir::NodeId id, const std::vector<bool>& mask) {
    const ir::NodeId predecessor = plan_.node(id).predecessor;
    std::vector<float>& z = values_[static_cast<size_t>(predecessor)];
    ir::NetworkNode& node = grafted_.nodes[static_cast<size_t>(id)];
    absl::Status fitted = FitLayer(z, mask, node.hinge);
    if (!fitted.ok()) {
      return absl::Status(fitted.code(),
                          absl::StrCat(std::string(fitted.message()), " at '", node.name, "'"));
    }
    std::vector<float> after = plan_.node(predecessor).consumers == 1 ? std::move(z) : z;
    const size_t n = mask.size();
    for (size_t k = 0; k < after.size(); ++k) {
      after[k] = static_cast<float>(HingeAt(node.hinge, k % n, static_cast<double>(after[k])));
    }
    values_[static_cast<size_t>(id)] = std::move(after);
    return absl::OkStatus();
  }

  const bounds::Plan& plan_;
  const SampleReader& reader_;
  ir::Network& grafted_;
  std::vector<std::vector<float>> values_;  // per node, [samples][size]; empty: not read any more
};

absl::Status CheckMask(const ir::Network& network, const Mask& mask) {
  const std::vector<size_t> activations = ActivationNodes(network);
  bool fits = mask.size() == activations.size();
  for (size_t a = 0; fits && a < mask.size(); ++a) {
    fits = mask[a].size() == network.nodes[activations[a]].hinge.left.size();
  }
  return fits ? absl::OkStatus() : absl::InvalidArgumentError("the mask is of another network");
}

}  // namespace

absl::StatusOr<ir::Network> FitLines(const ir::Network& network, const Mask& mask, const Samples& samples,
                                     const FitSettings& settings, backend::Backend& backend, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckMask(network, mask));
  ir::Network grafted = network;
  if (settings.start != LineStart::kLeastSquares) {
    const double slope = settings.start == LineStart::kConstantSlope ? settings.constant_slope : 0.0;
    const std::vector<size_t> activations = ActivationNodes(network);
    for (size_t a = 0; a < mask.size(); ++a) {
      for (size_t i = 0; i < mask[a].size(); ++i) {
        if (mask[a][i]) SetLine(grafted.nodes[activations[a]].hinge, i, slope, 0);
      }
    }
    return grafted;
  }
  ESPALIER_ASSIGN_OR_RETURN(const SampleReader reader,
                            SampleReader::Make(network, *samples.data, samples.order, settings.samples));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<bounds::Plan> plan, bounds::Plan::Make(network, backend));
  ESPALIER_RETURN_IF_ERROR(LayerwiseFit(*plan, reader, grafted).Run(mask, stop));
  return grafted;
}

}  // namespace espalier::graft
