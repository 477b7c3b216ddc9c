#include "verifier/train/accuracy.h"

#include <algorithm>

#include "verifier/base/status.h"
#include "verifier/train/adversary.h"
#include "verifier/train/batch.h"
#include "verifier/train/parameters.h"
#include "verifier/train/trainer.h"

namespace espalier::train {
namespace {

constexpr int64_t kRows = 250;

// Which samples of the loaded batch the network gets right at x, 1 or 0.
std::vector<float> CorrectAt(DeviceNetwork& network, const Adversary& adversary, const float* x,
                             backend::Backend& backend, const backend::Buffer<float>& flags) {
  network.Forward(adversary.rows(), x);
  backend.training().CrossEntropy(adversary.rows(), network.classes(), network.logits(),
                                  {.label = adversary.label()}, {.correct = flags.data()});
  return Download(backend, flags.data(), adversary.rows());
}

// Clears the flags of samples that are wrong somewhere on the attack's way.
struct AttackRun {
  DeviceNetwork& network;
  Adversary& adversary;
  backend::Backend& backend;
  const backend::Buffer<float>& flags;

  void Clear(const AccuracySettings& settings, const backend::RandomKey& key, std::vector<float>& correct) {
    adversary.RandomStart(key);
    for (int64_t s = 0; s <= settings.steps; ++s) {
      const std::vector<float> now = CorrectAt(network, adversary, adversary.point(), backend, flags);
      for (size_t r = 0; r < now.size(); ++r) correct[r] *= now[r];
      if (s < settings.steps) adversary.Step(network, settings.epsilon / 4);
    }
  }
};

}  // namespace

absl::Status CheckAccuracyFits(const ir::Network& network, int64_t samples, backend::Backend& backend) {
  const int64_t rows = std::max<int64_t>(1, std::min(kRows, samples));
  ESPALIER_RETURN_IF_ERROR(DeviceNetwork::Make(network, backend, rows).status());
  return Adversary::Make(backend, rows, network.input_size(), network.output_size()).status();
}

absl::StatusOr<Accuracy> MeasureAccuracy(const ir::Network& network, const Samples& samples,
                                         const AccuracySettings& settings, backend::Backend& backend,
                                         StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckFits(network, *samples.data));
  const auto count = samples.size();
  const int64_t rows = std::max<int64_t>(1, std::min(kRows, count));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<DeviceNetwork> device,
                            DeviceNetwork::Make(network, backend, rows));
  ESPALIER_ASSIGN_OR_RETURN(Adversary adversary,
                            Adversary::Make(backend, rows, network.input_size(), network.output_size()));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> flags, backend::Allocate<float>(backend, rows));
  BatchReader reader(network, *samples.data);
  Batch batch;
  Accuracy accuracy;
  accuracy.samples = count;
  for (int64_t begin = 0; begin < count; begin += rows) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while accuracy was measured");
    reader.Read(samples.order, begin, std::min(rows, count - begin), batch);
    adversary.Load(batch.rows, batch.x.data(), batch.label.data(),
                   {.epsilon = settings.epsilon, .low = settings.low, .high = settings.high});
    std::vector<float> correct = CorrectAt(*device, adversary, adversary.sample(), backend, flags);
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    for (float c : correct) {
      accuracy.correct.push_back(c != 0);
      accuracy.clean += c != 0;
    }
    if (settings.steps == 0 || begin >= settings.attack_samples) continue;
    AttackRun{*device, adversary, backend, flags}.Clear(
        settings, {settings.seed, static_cast<uint64_t>(begin)}, correct);
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    accuracy.attack_samples += batch.rows;
    accuracy.attacked += std::count(correct.begin(), correct.end(), 1.0f);
  }
  return accuracy;
}

}  // namespace espalier::train
