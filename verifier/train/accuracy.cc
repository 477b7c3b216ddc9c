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

struct Correct {
  std::vector<float> clean, attacked;
};

// One batch: correct at the sample, and at every point that the attack visits.
Correct MeasureBatch(DeviceNetwork& network, Adversary& adversary, const AccuracySettings& settings,
                     const backend::RandomKey& key, backend::Backend& backend,
                     backend::Buffer<float>& device) {
  const int64_t rows = adversary.rows();
  const auto evaluate = [&](const float* x) {
    network.Forward(rows, x);
    backend.training().CrossEntropy(rows, network.classes(), network.logits(), {.label = adversary.label()},
                                    {.correct = device.data()});
    return Download(backend, device.data(), rows);
  };
  Correct correct;
  correct.clean = correct.attacked = evaluate(adversary.sample());
  if (settings.steps > 0) adversary.RandomStart(key);
  for (int64_t s = 0; s <= settings.steps && settings.steps > 0; ++s) {
    const std::vector<float> now = evaluate(adversary.point());
    for (size_t r = 0; r < now.size(); ++r) correct.attacked[r] *= now[r];
    if (s < settings.steps) adversary.Step(network, settings.epsilon / 4);
  }
  return correct;
}

}  // namespace

absl::StatusOr<Accuracy> MeasureAccuracy(const ir::Network& network, const Dataset& data,
                                         const std::vector<int64_t>& order, const AccuracySettings& settings,
                                         backend::Backend& backend, StopToken stop) {
  ESPALIER_RETURN_IF_ERROR(CheckFits(network, data));
  const auto count = static_cast<int64_t>(order.size());
  const int64_t rows = std::max<int64_t>(1, std::min(kRows, count));
  ESPALIER_ASSIGN_OR_RETURN(const std::unique_ptr<DeviceNetwork> device,
                            DeviceNetwork::Make(network, backend, rows));
  ESPALIER_ASSIGN_OR_RETURN(Adversary adversary,
                            Adversary::Make(backend, rows, network.input_size(), network.output_size()));
  ESPALIER_ASSIGN_OR_RETURN(backend::Buffer<float> flags, backend::Allocate<float>(backend, rows));
  BatchReader reader(network, data);
  Batch batch;
  Accuracy accuracy;
  accuracy.samples = count;
  for (int64_t begin = 0; begin < count; begin += rows) {
    if (stop.StopRequested()) return absl::CancelledError("stopped while accuracy was measured");
    reader.Read(order, begin, std::min(rows, count - begin), batch);
    adversary.Load(batch.rows, batch.x.data(), batch.label.data(),
                   {.epsilon = settings.epsilon, .low = settings.low, .high = settings.high});
    const Correct correct = MeasureBatch(*device, adversary, settings,
                                         {settings.seed, static_cast<uint64_t>(begin)}, backend, flags);
    ESPALIER_RETURN_IF_ERROR(backend.Synchronise());
    for (size_t r = 0; r < correct.clean.size(); ++r) {
      accuracy.correct.push_back(correct.clean[r] != 0);
      accuracy.clean += correct.clean[r] != 0;
      accuracy.attacked += correct.attacked[r] != 0;
    }
  }
  return accuracy;
}

}  // namespace espalier::train
