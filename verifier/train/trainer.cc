#include "verifier/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "verifier/base/status.h"
#include "verifier/train/adversary.h"
#include "verifier/train/batch.h"
#include "verifier/train/parameters.h"

namespace espalier::train {
namespace {

constexpr double kWarmUp = 0.1;  // share of the steps in which the rate rises
constexpr absl::Duration kReportEvery = absl::Milliseconds(500);

// Streams of random numbers of one epoch.
enum Stream : uint64_t { kOrder, kAugment, kAttack, kStreams };

backend::RandomKey KeyOf(const api::TrainOptions& options, int64_t epoch, Stream stream, int64_t step = 0) {
  return {static_cast<uint64_t>(options.seed),
          (static_cast<uint64_t>(epoch) * kStreams + stream) * 0x100000000ull + static_cast<uint64_t>(step)};
}

// Rises on a line over the first tenth of all steps, then falls to zero on a line.
double RateAt(int64_t step, int64_t steps) {
  const double at = (static_cast<double>(step) + 0.5) / static_cast<double>(std::max<int64_t>(steps, 1));
  return at < kWarmUp ? at / kWarmUp : (1 - at) / (1 - kWarmUp);
}

// Boxes grow on a line over the first half of all steps: a network that was not trained for them has bounds
// so loose that full boxes drown what it knows.
constexpr double kBoxesGrow = 0.5;

double BoxAt(int64_t step, int64_t steps) {
  return std::min(1.0, static_cast<double>(step + 1) / (kBoxesGrow * static_cast<double>(steps)));
}

struct EpochSums {
  double loss = 0, correct = 0;
  int64_t samples = 0;
};

class Session {
 public:
  Session(const ir::Network& network, const Samples& samples, const api::TrainOptions& options,
          backend::Backend& backend)
      : reader_(network, *samples.data),
        order_(samples.order),
        options_(options),
        backend_(backend),
        classes_(network.output_size()),
        steps_(samples.size() / std::min(options.batch, samples.size())) {}

  absl::Status Build(const ir::Network& network, const ir::Network* teacher);
  absl::Status Epoch(int64_t epoch, const TrainHooks& hooks, StopToken stop);
  DeviceNetwork& network() { return *network_; }

 private:
  int64_t Count() const { return static_cast<int64_t>(order_.size()); }
  absl::Status Step(int64_t epoch, int64_t step, const std::vector<int64_t>& shuffled, EpochSums& sums);
  StepRates RatesAt(int64_t epoch, int64_t step) const;
  absl::Status AddUp(int64_t epoch, EpochSums& sums);

  BatchReader reader_;
  const std::vector<int64_t>& order_;
  const api::TrainOptions& options_;
  backend::Backend& backend_;
  int64_t classes_, steps_;
  Batch batch_;
  std::unique_ptr<DeviceNetwork> network_, teacher_;
  Adversary adversary_;
  backend::Buffer<float> loss_, correct_, mean_;  // [rows]; [rows][classes] of 1 / rows
};

absl::Status Session::Build(const ir::Network& network, const ir::Network* teacher) {
  const int64_t rows = std::min(options_.batch, Count());
  ESPALIER_ASSIGN_OR_RETURN(network_, DeviceNetwork::Make(network, backend_, rows, options_.box_share > 0));
  if (teacher != nullptr && options_.distil > 0) {
    ESPALIER_ASSIGN_OR_RETURN(teacher_, DeviceNetwork::Make(*teacher, backend_, rows));
  }
  ESPALIER_ASSIGN_OR_RETURN(adversary_, Adversary::Make(backend_, rows, network.input_size(), classes_));
  ESPALIER_ASSIGN_OR_RETURN(loss_, backend::Allocate<float>(backend_, rows));
  ESPALIER_ASSIGN_OR_RETURN(correct_, backend::Allocate<float>(backend_, rows));
  ESPALIER_ASSIGN_OR_RETURN(mean_, backend::Allocate<float>(backend_, rows * classes_));
  backend_.f32().Fill(rows * classes_, 1.0f / static_cast<float>(rows), mean_.data());
  return backend_.Synchronise();
}

StepRates Session::RatesAt(int64_t epoch, int64_t step) const {
  const double rate = RateAt(epoch * steps_ + step, options_.epochs * steps_);
  const auto momentum = static_cast<float>(options_.momentum);
  return {{static_cast<float>(options_.learning_rate * rate), momentum,
           static_cast<float>(options_.weight_decay)},
          {static_cast<float>(options_.line_rate * rate), momentum, 0.0f}};
}

absl::Status Session::AddUp(int64_t epoch, EpochSums& sums) {
  const std::vector<float> loss = Download(backend_, loss_.data(), batch_.rows);
  const std::vector<float> correct = Download(backend_, correct_.data(), batch_.rows);
  ESPALIER_RETURN_IF_ERROR(backend_.Synchronise());
  const double total = std::accumulate(loss.begin(), loss.end(), 0.0);
  if (!std::isfinite(total)) {
    return absl::AbortedError(
        absl::StrCat("the loss is not finite in epoch ", epoch + 1, ": try a smaller learning rate"));
  }
  sums.loss += total;
  sums.correct += std::accumulate(correct.begin(), correct.end(), 0.0);
  sums.samples += batch_.rows;
  return absl::OkStatus();
}

absl::Status Session::Step(int64_t epoch, int64_t step, const std::vector<int64_t>& shuffled,
                           EpochSums& sums) {
  const int64_t rows = std::min(options_.batch, Count());
  if (options_.augment != 0) {
    reader_.ReadAugmented(shuffled, step * rows, rows, KeyOf(options_, epoch, kAugment), batch_);
  } else {
    reader_.Read(shuffled, step * rows, rows, batch_);
  }
  // With boxes around the adversarial points (Mueller et al. 2023), these keep clear of the ball's surface.
  const double box =
      options_.epsilon * options_.box_share * BoxAt(epoch * steps_ + step, options_.epochs * steps_);
  const double radius = std::max(0.0, options_.epsilon * options_.attack_scale - box);
  AdversarySettings settings{radius, options_.low, options_.high, options_.attack_steps, 0};
  const auto steps = static_cast<double>(std::max<int64_t>(options_.attack_steps, 1));
  settings.step_size = radius * (options_.attack_steps == 1 ? 1.25 : 2.5 / steps);
  adversary_.Load(rows, batch_.x.data(), batch_.label.data(), settings);
  if (options_.attack_steps > 0) {
    adversary_.Attack(*network_, settings, KeyOf(options_, epoch, kAttack, step));
  }
  backend::LossTarget target{.label = adversary_.label()};
  if (teacher_ != nullptr) {
    teacher_->Forward(rows, adversary_.sample());
    target.teacher = teacher_->logits();
    target.distil = static_cast<float>(options_.distil);
  }
  if (box > 0) {
    network_->ForwardBox(rows, adversary_.point(), static_cast<float>(box), adversary_.label());
  } else {
    network_->Forward(rows, adversary_.point());
  }
  backend_.training().CrossEntropy(rows, classes_, network_->logits(), target,
                                   {adversary_.logit_gradient(), loss_.data(), correct_.data()});
  backend_.f32().Multiply(rows * classes_, mean_.data(), adversary_.logit_gradient());
  ESPALIER_RETURN_IF_ERROR(AddUp(epoch, sums));
  if (box > 0) {
    network_->BackwardBox(rows, adversary_.logit_gradient(), adversary_.label());
  } else {
    network_->Backward(rows, adversary_.logit_gradient(), {.weights = true});
  }
  network_->Descend(RatesAt(epoch, step));
  return absl::OkStatus();
}

absl::Status Session::Epoch(int64_t epoch, const TrainHooks& hooks, StopToken stop) {
  const std::vector<int64_t> shuffled = Shuffled(order_, KeyOf(options_, epoch, kOrder));
  EpochSums sums;
  absl::Time reported = absl::Now();
  for (int64_t step = 0; step < steps_; ++step) {
    if (stop.StopRequested()) return absl::CancelledError("stopped during training");
    ESPALIER_RETURN_IF_ERROR(Step(epoch, step, shuffled, sums));
    const bool last = step + 1 == steps_;
    if (!hooks.progress || (!last && absl::Now() - reported < kReportEvery)) continue;
    reported = absl::Now();
    api::TrainProgress progress;
    progress.done = step + 1;
    progress.total = steps_;
    progress.epoch = epoch + 1;
    progress.loss = sums.loss / static_cast<double>(sums.samples);
    progress.accuracy = sums.correct / static_cast<double>(sums.samples);
    hooks.progress(progress);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFits(const ir::Network& network, const Dataset& data) {
  if (data.sample_size() != network.input_size()) {
    return absl::InvalidArgumentError(absl::StrCat("the data's samples have ", data.sample_size(), " values ",
                                                   ShapeToString(data.shape), ", the network's input has ",
                                                   network.input_size()));
  }
  for (int64_t i = 0; i < data.size(); ++i) {
    const int32_t label = data.labels[static_cast<size_t>(i)];
    if (label < 0 || label >= network.output_size()) {
      return absl::InvalidArgumentError(absl::StrCat("label ", label, " of sample ", i,
                                                     " is out of range: the network has ",
                                                     network.output_size(), " outputs"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ir::Network> Train(const ir::Network& network, const Samples& samples,
                                  const api::TrainOptions& options, backend::Backend& backend,
                                  const TrainHooks& hooks, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckFits(network, *samples.data));
  if (samples.size() == 0) return absl::InvalidArgumentError("there is no sample to train on");
  Session session(network, samples, options, backend);
  ESPALIER_RETURN_IF_ERROR(session.Build(network, hooks.teacher));
  if (hooks.resume.epochs_done > 0) {
    ESPALIER_RETURN_IF_ERROR(session.network().Restore(hooks.resume.parameters));
  }
  for (int64_t epoch = hooks.resume.epochs_done; epoch < options.epochs; ++epoch) {
    ESPALIER_RETURN_IF_ERROR(session.Epoch(epoch, hooks, stop));
    if (hooks.checkpoint && epoch + 1 < options.epochs) {
      hooks.checkpoint({epoch + 1, session.network().State()});
    }
  }
  ir::Network trained = session.network().ToNetwork();
  ESPALIER_RETURN_IF_ERROR(ir::CheckNetwork(trained));
  return trained;
}

}  // namespace espalier::train
