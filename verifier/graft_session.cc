#include "verifier/graft_session.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "verifier/base/status.h"
#include "verifier/device.h"
#include "verifier/graft/fit.h"
#include "verifier/graft/score.h"
#include "verifier/train/batch.h"
#include "verifier/train/trainer.h"

namespace espalier {
namespace {

// Samples on which the grafted network's unstable neurons are counted: enough for a mean.
constexpr int64_t kRecountSamples = 200;
// Ratios that a target search may return.
constexpr int64_t kGrid = 20;
// Stream of random numbers that orders the samples to score.
constexpr uint64_t kScoreStream = 0x5C03E;

graft::ScoreSettings ScoreSettingsOf(const GraftRequest& request, int64_t samples,
                                     const backend::Backend& backend) {
  graft::ScoreSettings settings{.epsilon = request.train.epsilon,
                                .low = request.train.low,
                                .high = request.train.high,
                                .samples = samples,
                                .alpha_iterations = request.graft.alpha_iterations};
  // A card has all its threads busy with one batch; so small a network leaves a processor's waiting for each
  // other.
  if (request.train.device > kCpuDevice) return settings;
  settings.workers = backend.threads();
  settings.make_worker = [] { return MakeBackend({.device = kCpuDevice}, {.threads = 1}); };
  return settings;
}

graft::SelectSettings SelectSettingsOf(const GraftRequest& request, double ratio) {
  return {.ratio = ratio,
          .significance = static_cast<graft::Significance>(request.graft.significance),
          .rule = static_cast<graft::SelectionRule>(request.graft.selection),
          .instability_weight = request.graft.instability_weight,
          .seed = static_cast<uint64_t>(request.train.seed)};
}

VerifySettings VerifySettingsOf(const GraftRequest& request) {
  return {request.graft.measure_samples, request.graft.verify_timeout_s};
}

std::vector<std::string> ActivationNames(const ir::Network& network) {
  std::vector<std::string> names;
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind == ir::NodeKind::kActivation) names.push_back(node.name);
  }
  return names;
}

std::vector<int64_t> GraftedPerLayer(const ir::Network& network) {
  std::vector<int64_t> grafted;
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind == ir::NodeKind::kActivation) grafted.push_back(ir::CountGrafted(node.hinge));
  }
  return grafted;
}

std::vector<int64_t> NeuronsPerLayer(const ir::Network& network) {
  std::vector<int64_t> neurons;
  for (const ir::NetworkNode& node : network.nodes) {
    if (node.kind == ir::NodeKind::kActivation) neurons.push_back(node.size);
  }
  return neurons;
}

}  // namespace

Samples GraftSession::ScoreSamples() const {
  Samples samples = split_.train;
  samples.order = train::Shuffled(samples.order, {static_cast<uint64_t>(request_.train.seed), kScoreStream});
  samples.order.resize(std::min(samples.order.size(), static_cast<size_t>(request_.graft.score_samples)));
  return samples;
}

absl::Status GraftSession::Score() {
  if (state_.scores) return absl::OkStatus();
  const Samples samples = ScoreSamples();
  const auto progress = [&](int64_t done, int64_t total) { execution_.reporter.Count("score", done, total); };
  ESPALIER_ASSIGN_OR_RETURN(
      graft::Scores scores,
      graft::ComputeScores(start_.network, samples,
                           ScoreSettingsOf(request_, samples.size(), execution_.backend), execution_.backend,
                           progress, execution_.stop));
  state_.scores = std::move(scores);
  return execution_.reporter.Checkpoint(state_);
}

absl::Status GraftSession::MeasureBase() {
  if (state_.base) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(const std::string onnx, formats::WriteOnnx(start_.network, start_.file));
  ESPALIER_ASSIGN_OR_RETURN(state_.base, MeasureFile(onnx, split_.evaluation, request_.train,
                                                     VerifySettingsOf(request_), execution_));
  return execution_.reporter.Checkpoint(state_);
}

absl::StatusOr<ir::Network> GraftSession::FineTune(const ir::Network& fitted) {
  train::TrainHooks hooks;
  hooks.teacher = &start_.network;
  hooks.resume = std::exchange(state_.training, {});
  hooks.progress = [&](api::TrainProgress progress) {
    execution_.reporter.Progress("fine-tune", std::move(progress));
  };
  absl::Status written;
  hooks.checkpoint = [&](const train::TrainState& training) {
    state_.training = training;
    if (written.ok()) written = execution_.reporter.Checkpoint(state_);
  };
  ESPALIER_ASSIGN_OR_RETURN(ir::Network tuned, train::Train(fitted, split_.train, request_.train,
                                                            execution_.backend, hooks, execution_.stop));
  ESPALIER_RETURN_IF_ERROR(written);
  state_.training = {};
  return tuned;
}

absl::StatusOr<std::vector<double>> GraftSession::UnstablePerLayer(const ir::Network& network) {
  Samples samples = ScoreSamples();
  samples.order.resize(std::min(samples.order.size(), static_cast<size_t>(kRecountSamples)));
  const auto progress = [&](int64_t done, int64_t total) { execution_.reporter.Count("count", done, total); };
  ESPALIER_ASSIGN_OR_RETURN(
      graft::Scores scores,
      graft::ComputeScores(network, samples, ScoreSettingsOf(request_, samples.size(), execution_.backend),
                           execution_.backend, progress, execution_.stop));
  return std::move(scores.unstable_per_layer);
}

absl::StatusOr<const GraftCandidate*> GraftSession::Candidate(double ratio, bool keep) {
  for (const GraftCandidate& done : state_.finished) {
    if (done.ratio == ratio && !(keep && done.onnx.empty())) return &done;
  }
  const graft::Mask mask =
      graft::SelectNeurons(start_.network, *state_.scores, SelectSettingsOf(request_, ratio));
  execution_.reporter.Say("select",
                          absl::StrFormat("ratio %.3g: %d neurons", ratio, graft::CountSelected(mask)));
  ESPALIER_ASSIGN_OR_RETURN(
      const ir::Network fitted,
      graft::FitLines(start_.network, mask, ScoreSamples(),
                      {.start = static_cast<graft::LineStart>(request_.graft.line_start),
                       .samples = request_.graft.score_samples},
                      execution_.backend, execution_.stop));
  execution_.reporter.Say("fit", "lines fitted");
  ESPALIER_ASSIGN_OR_RETURN(const ir::Network tuned, FineTune(fitted));
  GraftCandidate candidate;
  candidate.ratio = ratio;
  ESPALIER_ASSIGN_OR_RETURN(candidate.onnx, formats::WriteOnnx(tuned, start_.file));
  ESPALIER_ASSIGN_OR_RETURN(candidate.unstable, UnstablePerLayer(tuned));
  ESPALIER_ASSIGN_OR_RETURN(
      candidate.measurement,
      MeasureFile(candidate.onnx, split_.evaluation, request_.train, VerifySettingsOf(request_), execution_));
  if (!keep) candidate.onnx.clear();
  std::erase_if(state_.finished, [&](const GraftCandidate& done) { return done.ratio == ratio; });
  state_.finished.push_back(std::move(candidate));
  ESPALIER_RETURN_IF_ERROR(execution_.reporter.Checkpoint(state_));
  return &state_.finished.back();
}

absl::StatusOr<const GraftCandidate*> GraftSession::SearchTarget() {
  int64_t missed = 0, reached = kGrid;  // the whole grid is taken as reached: the best that can be done
  while (reached - missed > 1) {
    const int64_t middle = (missed + reached) / 2;
    const double ratio = static_cast<double>(middle) / kGrid;
    ESPALIER_ASSIGN_OR_RETURN(const GraftCandidate* candidate, Candidate(ratio, true));
    const bool good = candidate->measurement.verified >= request_.graft.target_verified;
    execution_.reporter.Say("target",
                            absl::StrFormat("ratio %.2f verifies %.3f, wanted %.3f", ratio,
                                            candidate->measurement.verified, request_.graft.target_verified));
    (good ? reached : missed) = middle;
  }
  ESPALIER_ASSIGN_OR_RETURN(const GraftCandidate* chosen,
                            Candidate(static_cast<double>(reached) / kGrid, true));
  if (chosen->measurement.verified < request_.graft.target_verified) {
    warnings_.push_back(
        absl::StrFormat("the target of %.3f verified was not reached: %.3f with every neuron grafted",
                        request_.graft.target_verified, chosen->measurement.verified));
  }
  return chosen;
}

GraftedModel GraftSession::Result(const GraftCandidate& chosen) const {
  GraftedModel result;
  result.onnx = chosen.onnx;
  api::GraftReport& report = result.report;
  report.train = request_.train;
  report.graft = request_.graft;
  report.version = std::string(Version());
  report.processor = GetCapabilities().processor;
  report.data_sha256 = split_.train.data->sha256;
  report.evaluation_sha256 = split_.evaluation.data->sha256;
  report.base = *state_.base;
  for (const GraftCandidate& done : state_.finished) {
    if (&done != &chosen) report.points.push_back({done.ratio, done.measurement});
  }
  report.points.push_back({chosen.ratio, chosen.measurement});
  const graft::Mask mask =
      graft::SelectNeurons(start_.network, *state_.scores, SelectSettingsOf(request_, chosen.ratio));
  const std::vector<std::string> names = ActivationNames(start_.network);
  const std::vector<int64_t> before = GraftedPerLayer(start_.network),
                             neurons = NeuronsPerLayer(start_.network);
  for (size_t a = 0; a < names.size(); ++a) {
    const auto added = std::count(mask[a].begin(), mask[a].end(), true);
    report.layers.push_back({names[a], neurons[a], before[a], before[a] + added,
                             state_.scores->unstable_per_layer[a], chosen.unstable[a]});
  }
  report.seconds = execution_.reporter.seconds();
  report.warnings = warnings_;
  return result;
}

absl::StatusOr<GraftedModel> GraftSession::Run() {
  ESPALIER_RETURN_IF_ERROR(Score());
  ESPALIER_RETURN_IF_ERROR(MeasureBase());
  for (double ratio : request_.curve_ratios) {
    ESPALIER_RETURN_IF_ERROR(Candidate(ratio, false).status());
  }
  const GraftCandidate* chosen = nullptr;
  if (request_.graft.target_verified > 0) {
    ESPALIER_ASSIGN_OR_RETURN(chosen, SearchTarget());
  } else {
    ESPALIER_ASSIGN_OR_RETURN(chosen, Candidate(request_.graft.ratio, true));
  }
  return Result(*chosen);
}

}  // namespace espalier
