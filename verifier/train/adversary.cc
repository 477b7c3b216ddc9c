#include "verifier/train/adversary.h"

#include "verifier/base/status.h"

namespace espalier::train {

absl::StatusOr<Adversary> Adversary::Make(backend::Backend& backend, int64_t rows, int64_t inputs,
                                          int64_t classes) {
  Adversary made;
  made.backend_ = &backend;
  made.inputs_ = inputs;
  made.classes_ = classes;
  for (backend::Buffer<float>* buffer : {&made.sample_, &made.lower_, &made.upper_, &made.point_}) {
    ESPALIER_ASSIGN_OR_RETURN(*buffer, backend::Allocate<float>(backend, rows * inputs));
  }
  ESPALIER_ASSIGN_OR_RETURN(made.gradient_, backend::Allocate<float>(backend, rows * classes));
  ESPALIER_ASSIGN_OR_RETURN(made.label_, backend::Allocate<int32_t>(backend, rows));
  return made;
}

void Adversary::Load(int64_t rows, const float* x, const int32_t* label, const AdversarySettings& settings) {
  rows_ = rows;
  const int64_t count = rows * inputs_;
  backend_->Upload(x, count * static_cast<int64_t>(sizeof(float)), sample_.data());
  backend_->Upload(x, count * static_cast<int64_t>(sizeof(float)), point_.data());
  backend_->Upload(label, rows * static_cast<int64_t>(sizeof(int32_t)), label_.data());
  backend_->training().BoxAround(count, sample_.data(),
                                 {static_cast<float>(settings.epsilon), static_cast<float>(settings.low),
                                  static_cast<float>(settings.high)},
                                 lower_.data(), upper_.data());
}

void Adversary::RandomStart(const backend::RandomKey& key) {
  backend_->training().UniformInBox(rows_ * inputs_, key, lower_.data(), upper_.data(), point_.data());
}

void Adversary::Step(DeviceNetwork& network, double step_size) {
  backend::Training& training = backend_->training();
  training.CrossEntropy(rows_, classes_, network.logits(), {.label = label_.data()},
                        {.gradient = gradient_.data()});
  network.Backward(rows_, gradient_.data(), {.weights = false, .input = true});
  training.SignStep(rows_ * inputs_, static_cast<float>(step_size), network.input_gradient(), lower_.data(),
                    upper_.data(), point_.data());
}

void Adversary::Attack(DeviceNetwork& network, const AdversarySettings& settings,
                       const backend::RandomKey& key) {
  RandomStart(key);
  for (int64_t s = 0; s < settings.steps; ++s) {
    network.Forward(rows_, point_.data());
    Step(network, settings.step_size);
  }
}

}  // namespace espalier::train
