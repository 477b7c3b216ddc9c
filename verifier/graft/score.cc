#include "verifier/graft/score.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "verifier/base/status.h"
#include "verifier/bounds/intermediate.h"
#include "verifier/bounds/plan.h"
#include "verifier/graft/score_bounds.h"
#include "verifier/graft/score_margin.h"
#include "verifier/graft/score_points.h"
#include "verifier/graft/score_samples.h"

namespace espalier::graft {
namespace {

// Samples that are bounded together: enough rows for a cone's products, few enough for the cache.
constexpr int64_t kBoundBatch = 16;

// Everything about one batch; added to the scores only once all of it is there.
struct BatchScores {
  std::vector<int32_t> labels;
  PointValues points;
  PointGradients gradients;
  SampleBounds bounds;
  MarginScores margins;
};

// Sums over samples of a neuron's pre-activation z, its value f, and the loss's derivative g by f.
struct NeuronMoments {
  double z = 0, f = 0, zz = 0, ff = 0, zf = 0, gg = 0;

  void Add(const ir::HingeLayer& hinge, size_t i, float argument, float gradient) {
    const auto x = static_cast<double>(argument), g = static_cast<double>(gradient);
    const double y = hinge.intercept[i] + (x < 0 ? hinge.left[i] : hinge.right[i]) * x;
    z += x;
    f += y;
    zz += x * x;
    ff += y * y;
    zf += x * y;
    gg += g * g;
  }
  // sqrt(E g^2 * E (f - line)^2) with the least-squares line.
  double Cost(double samples) const {
    const double variance = zz / samples - z / samples * (z / samples);
    const double covariance = zf / samples - z / samples * (f / samples);
    double residual = ff / samples - f / samples * (f / samples);
    if (variance > 0) residual -= covariance * covariance / variance;
    return std::sqrt(gg / samples * std::max(residual, 0.0));
  }
};

// Scores of single batches, on one backend.
class BatchScorer {
 public:
  BatchScorer(const bounds::Plan& plan, const SampleReader& reader, const ScoreSettings& settings,
              StopToken stop)
      : plan_(plan), reader_(reader), settings_(settings), stop_(stop), points_(plan) {}

  absl::Status Prepare();
  absl::Status Run(int64_t begin, int64_t end, BatchScores& batch);

 private:
  absl::Status Bound(BatchScores& batch);

  const bounds::Plan& plan_;
  const SampleReader& reader_;
  const ScoreSettings& settings_;
  StopToken stop_;
  PointPass points_;
  std::unique_ptr<SampleBounder> bounder_;
};

// What all batches add up to, in their order.
class ScoreSum {
 public:
  explicit ScoreSum(const bounds::Plan& plan);
  void Add(const BatchScores& batch);
  Scores Finish();

 private:
  const bounds::Plan& plan_;
  Scores scores_;
  std::vector<std::vector<NeuronMoments>> moments_;  // as PerNeuron
};

bounds::InputBoxes BoxesAround(const std::vector<float>& x, int64_t samples, const ScoreSettings& settings) {
  bounds::InputBoxes boxes;
  boxes.domains = samples;
  for (float value : x) {
    const auto centre = static_cast<double>(value);
    boxes.lower.push_back(std::clamp(centre - settings.epsilon, settings.low, settings.high));
    boxes.upper.push_back(std::clamp(centre + settings.epsilon, settings.low, settings.high));
  }
  return boxes;
}

// As the verifier bounds one box, slopes optimised.
absl::Status BatchScorer::Bound(BatchScores& batch) {
  SampleBounds& bounds = batch.bounds;
  if (settings_.alpha_iterations <= 0) return bounder_->Run(batch.points.pre_activations, stop_, bounds);
  ESPALIER_ASSIGN_OR_RETURN(
      bounds::DomainBounds computed,
      bounds::ComputeIntermediate(plan_, bounds.boxes, {.iterations = settings_.alpha_iterations}, stop_));
  if (!computed.complete) return absl::CancelledError("stopped while scoring");
  bounds.layers = std::move(computed.layers);
  ESPALIER_ASSIGN_OR_RETURN(bounds.relaxations.emplace_back(),
                            bounds::Relaxation<float>::Make(plan_, bounds.layers, 1));
  return absl::OkStatus();
}

absl::Status BatchScorer::Prepare() {
  if (settings_.alpha_iterations > 0) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(bounder_, SampleBounder::Make(plan_, {}));
  return absl::OkStatus();
}

absl::Status BatchScorer::Run(int64_t begin, int64_t end, BatchScores& batch) {
  const std::vector<float> x = reader_.Rows(begin, end);
  for (int64_t s = begin; s < end; ++s) batch.labels.push_back(reader_.label(s));
  ESPALIER_RETURN_IF_ERROR(points_.Forward(end - begin, x, batch.points));
  for (float output : batch.points.outputs) {
    if (!std::isfinite(output)) return absl::InvalidArgumentError("the network's outputs are not finite");
  }
  ESPALIER_RETURN_IF_ERROR(points_.Backward(
      end - begin, CrossEntropyGradient(batch.points.outputs, batch.labels), batch.gradients));
  batch.bounds.boxes = BoxesAround(x, end - begin, settings_);
  ESPALIER_RETURN_IF_ERROR(Bound(batch));
  return ScoreMargins(plan_, batch.bounds, batch.labels, settings_.alpha_iterations, stop_, batch.margins);
}

void ScoreSum::Add(const BatchScores& batch) {
  for (size_t a = 0; a < plan_.activations().size(); ++a) {
    const ir::HingeLayer& hinge = plan_.hinge(static_cast<int>(a));
    const bounds::LayerBox& box = batch.bounds.layers[a];
    const size_t n = hinge.left.size();
    for (size_t k = 0; k < box.lower.size(); ++k) {
      const size_t i = k % n;
      if (hinge.left[i] == hinge.right[i]) continue;
      if (box.lower[k] < 0 && box.upper[k] > 0) scores_.instability[a][i] += 1;
      scores_.magnitude[a][i] += static_cast<double>(std::fabs(batch.points.pre_activations[a][k]));
      scores_.gradient[a][i] += static_cast<double>(std::fabs(batch.gradients.by_argument[a][k]));
      moments_[a][i].Add(hinge, i, batch.points.pre_activations[a][k], batch.gradients.by_value[a][k]);
      scores_.looseness[a][i] += batch.margins.contribution[a][k];
    }
  }
  for (double bound : batch.margins.bound) scores_.certified += bound > 0 ? 1 : 0;
  scores_.samples += static_cast<int64_t>(batch.labels.size());
}

Scores ScoreSum::Finish() {
  const auto samples = static_cast<double>(scores_.samples);
  for (PerNeuron* score : {&scores_.instability, &scores_.magnitude, &scores_.gradient, &scores_.looseness}) {
    for (std::vector<double>& layer : *score) {
      for (double& value : layer) value /= samples;
    }
  }
  for (size_t a = 0; a < moments_.size(); ++a) {
    for (size_t i = 0; i < moments_[a].size(); ++i) scores_.cost[a][i] = moments_[a][i].Cost(samples);
  }
  for (const std::vector<double>& layer : scores_.instability) {
    double unstable = 0;
    for (double share : layer) unstable += share;
    scores_.unstable_per_layer.push_back(unstable);
  }
  scores_.certified /= samples;
  return std::move(scores_);
}

ScoreSum::ScoreSum(const bounds::Plan& plan) : plan_(plan) {
  for (PerNeuron* score : {&scores_.instability, &scores_.magnitude, &scores_.gradient, &scores_.looseness}) {
    for (size_t a = 0; a < plan_.activations().size(); ++a) {
      score->emplace_back(plan_.hinge(static_cast<int>(a)).left.size(), 0.0);
    }
  }
  for (const std::vector<double>& layer : scores_.gradient) moments_.emplace_back(layer.size());
  scores_.cost = scores_.gradient;
}

// One batch after the other, smaller ones where memory is short.
absl::StatusOr<Scores> ScoreAlone(const bounds::Plan& plan, const SampleReader& reader,
                                  const ScoreSettings& settings, const ScoreProgress& progress,
                                  StopToken stop) {
  BatchScorer scorer(plan, reader, settings, stop);
  ESPALIER_RETURN_IF_ERROR(scorer.Prepare());
  ScoreSum sum(plan);
  int64_t together = settings.alpha_iterations > 0 ? 1 : kBoundBatch;
  for (int64_t begin = 0; begin < reader.count();) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while scoring");
    const int64_t end = std::min(begin + together, reader.count());
    BatchScores batch;
    const absl::Status done = scorer.Run(begin, end, batch);
    if (absl::IsResourceExhausted(done) && together > 1) {
      together /= 2;
      continue;
    }
    ESPALIER_RETURN_IF_ERROR(done);
    sum.Add(batch);
    begin = end;
    if (progress) progress(begin, reader.count());
  }
  return sum.Finish();
}

// The same batches by several threads. Sums are made in the batches' order, whoever is ready first.
class SharedScoring {
 public:
  SharedScoring(const ir::Network& network, const bounds::Plan& plan, const SampleReader& reader,
                const ScoreSettings& settings, const ScoreProgress& progress, StopToken stop)
      : network_(network),
        reader_(reader),
        settings_(settings),
        progress_(progress),
        stop_(stop),
        together_(settings.alpha_iterations > 0 ? 1 : kBoundBatch),
        sum_(plan) {}

  absl::StatusOr<Scores> Run() {
    std::vector<std::thread> threads;
    for (int64_t w = 0; w < settings_.workers; ++w) threads.emplace_back([this] { Note(Work()); });
    for (std::thread& thread : threads) thread.join();
    ESPALIER_RETURN_IF_ERROR(status_);
    return sum_.Finish();
  }

 private:
  absl::Status Work();
  // The next batch's first sample; none: there is none, or another thread has failed.
  std::optional<int64_t> Take();
  void Give(int64_t begin, BatchScores batch);
  void Note(const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (status_.ok()) status_ = status;
  }

  const ir::Network& network_;
  const SampleReader& reader_;
  const ScoreSettings& settings_;
  const ScoreProgress& progress_;
  StopToken stop_;
  const int64_t together_;
  std::mutex mutex_;  // of what follows
  absl::Status status_;
  int64_t next_ = 0, added_ = 0;          // samples taken, samples added up
  std::map<int64_t, BatchScores> ready_;  // by first sample, waiting for earlier ones
  ScoreSum sum_;
};

std::optional<int64_t> SharedScoring::Take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!status_.ok() || next_ >= reader_.count()) return std::nullopt;
  return std::exchange(next_, next_ + together_);
}

void SharedScoring::Give(int64_t begin, BatchScores batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ready_.emplace(begin, std::move(batch));
  while (!ready_.empty() && ready_.begin()->first == added_) {
    sum_.Add(ready_.begin()->second);
    ready_.erase(ready_.begin());
    added_ = std::min(added_ + together_, reader_.count());
    if (progress_) progress_(added_, reader_.count());
  }
}

absl::Status SharedScoring::Work() {
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<backend::Backend> backend, settings_.make_worker());
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<bounds::Plan> plan, bounds::Plan::Make(network_, *backend));
  BatchScorer scorer(*plan, reader_, settings_, stop_);
  ESPALIER_RETURN_IF_ERROR(scorer.Prepare());
  while (const std::optional<int64_t> begin = Take()) {
    if (stop_.StopRequested()) return absl::CancelledError("stopped while scoring");
    BatchScores batch;
    ESPALIER_RETURN_IF_ERROR(scorer.Run(*begin, std::min(*begin + together_, reader_.count()), batch));
    batch.bounds.relaxations.clear();  // this thread's device memory, which no other thread may free
    Give(*begin, std::move(batch));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Scores> ComputeScores(const ir::Network& network, const Samples& samples,
                                     const ScoreSettings& settings, backend::Backend& backend,
                                     const ScoreProgress& progress, StopToken stop) {
  if (network.output_size() < 2) return absl::InvalidArgumentError("a margin needs at least two outputs");
  if (!(settings.epsilon >= 0) || !(settings.low <= settings.high)) {
    return absl::InvalidArgumentError("epsilon must not be negative, nor low above high");
  }
  ESPALIER_ASSIGN_OR_RETURN(const SampleReader reader,
                            SampleReader::Make(network, *samples.data, samples.order, settings.samples));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<bounds::Plan> plan, bounds::Plan::Make(network, backend));
  if (settings.workers > 1 && settings.make_worker != nullptr) {
    absl::StatusOr<Scores> shared = SharedScoring(network, *plan, reader, settings, progress, stop).Run();
    if (!absl::IsResourceExhausted(shared.status())) return shared;
  }
  return ScoreAlone(*plan, reader, settings, progress, stop);
}

}  // namespace espalier::graft
