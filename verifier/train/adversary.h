// Projected gradient descent on the loss, for a batch that is on the device: what training trains on and
// accuracy is measured under.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "verifier/train/device_network.h"

namespace espalier::train {

struct AdversarySettings {
  double epsilon = 0;
  double low = 0, high = 1;
  int64_t steps = 1;
  double step_size = 0;  // input units
};

// Device buffers for one batch: samples, their boxes, the adversarial points, and the logits' gradient.
class Adversary {
 public:
  static absl::StatusOr<Adversary> Make(backend::Backend& backend, int64_t rows, int64_t inputs,
                                        int64_t classes);

  // Puts the samples and labels on the device and the boxes around them.
  void Load(int64_t rows, const float* x, const int32_t* label, const AdversarySettings& settings);
  // A random start and `steps` steps up the network's loss.
  void Attack(DeviceNetwork& network, const AdversarySettings& settings, const backend::RandomKey& key);
  void RandomStart(const backend::RandomKey& key);
  // One step from point(); the gradient is that of the last Forward of the network on point().
  void Step(DeviceNetwork& network, double step_size);

  int64_t rows() const { return rows_; }
  const float* sample() const { return sample_.data(); }  // [rows][inputs]
  float* point() const { return point_.data(); }          // [rows][inputs]
  const int32_t* label() const { return label_.data(); }
  float* logit_gradient() const { return gradient_.data(); }  // [rows][classes]

 private:
  backend::Backend* backend_ = nullptr;
  int64_t rows_ = 0, inputs_ = 0, classes_ = 0;
  backend::Buffer<float> sample_, lower_, upper_, point_, gradient_;
  backend::Buffer<int32_t> label_;
};

}  // namespace espalier::train
