// The primitives that training adds to bounding: weights that change, their gradients, the loss, the
// optimiser's step and the steps of an attack. One implementation per device, reached through
// Backend::training().
//
//   Training& t = backend.training();
//   ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<TrainableMap> conv, t.MakeTrainable(*linear_map));
//   t.Forward(*conv, rows, x, y);                    // y = x W^T
//   t.Backward(*conv, rows, gy, gx);                 // gx = gy W
//   t.WeightGradient(*conv, rows, x, gy);            // conv->gradient() = sum over rows of gy_r x_r^T
//   t.Descend(conv->weight_count(), step, conv->gradient(), velocity, conv->weights());
//   t.WeightsChanged(*conv);
//
// float32 throughout, sums over rows in any order but always the same one for the same thread number:
// training is repeatable bit by bit. Batches are row-major [rows][neurons]; pointers are device pointers;
// work is enqueued, in order, and errors are sticky until Backend::Synchronise(), as in backend.h. Nothing
// here takes part in a proof.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/backend/neuron_math.h"
#include "verifier/ir/linear_map.h"

namespace espalier::backend {

// A dense map or a convolution whose coefficients are float32 on the device, in ir::LinearMap's own layout:
// dense [out][in], convolution [c_small][kernel_h][kernel_w][c_big].
class TrainableMap {
 public:
  virtual ~TrainableMap() = default;
  int64_t input_size() const { return input_size_; }
  int64_t output_size() const { return output_size_; }
  int64_t weight_count() const { return weight_count_; }
  virtual float* weights() = 0;   // [weight_count]
  virtual float* gradient() = 0;  // [weight_count], written by WeightGradient

 protected:
  int64_t input_size_ = 0, output_size_ = 0, weight_count_ = 0;
};

// Stochastic gradient descent with momentum: v <- momentum v + (g + decay w);  w <- w - rate v.
struct DescentStep {
  float rate = 0.01f;
  float momentum = 0.9f;
  float decay = 0;
};

// A row per sample: mask[i] == 1 where neuron i is grafted.
struct LineGradients {
  const float* mask = nullptr;  // [n]
  float* slope = nullptr;       // [n], to be written: sum over rows of gy z, 0 where mask is 0
  float* intercept = nullptr;   // [n], to be written: sum over rows of gy, 0 where mask is 0
};

// A row per sample: the box of all points within `radius` of `centre`, neuron by neuron.
struct BoxRows {
  float* centre = nullptr;  // [rows][n]
  float* radius = nullptr;  // [rows][n], at least 0
};

// What the logits are compared with: (1 - distil) * one-hot(label) + distil * softmax(teacher).
struct LossTarget {
  const int32_t* label = nullptr;  // [rows], 0 <= label < classes
  const float* teacher = nullptr;  // [rows][classes] logits; null: labels alone
  float distil = 0;                // 0..1, used with a teacher
};

struct LossResult {
  float* gradient = nullptr;  // [rows][classes]: d(loss_r)/d(logit), not divided by rows; null: not wanted
  float* loss = nullptr;      // [rows]: cross entropy with the label; null: not wanted
  float* correct = nullptr;  // [rows]: 1 when the label's logit is the largest (ties count as wrong); or null
};

// Elements within epsilon of a centre, cut to [low, high].
struct BoxShape {
  float epsilon = 0, low = 0, high = 1;
};

// Which pseudo-random numbers: the same key gives the same numbers on every device.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
};

// SplitMix64's output function (Steele et al. 2014). Own linkage: each instruction set compiles its copy.
ESPALIER_HOST_DEVICE static inline uint64_t MixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Uniform in [0, 1), number `counter` of the key's sequence: SplitMix64 from a start that the key is mixed
// to.
ESPALIER_HOST_DEVICE static inline float CounterUniform(const RandomKey& key, uint64_t counter) {
  constexpr uint64_t kGamma = 0x9E3779B97F4A7C15ull;
  const uint64_t start = MixBits(key.seed + MixBits(key.stream + kGamma));
  return static_cast<float>(MixBits(start + (counter + 1) * kGamma) >> 40) * 0x1.0p-24f;
}

// Image [low, high] of [lower, upper] under the hinge without its intercept, and how its ends move with those
// of the interval. An end at the kink does not move. Own linkage, as MixBits.
struct HingeImage {
  float low, high, low_by_lower, low_by_upper, high_by_lower, high_by_upper;
};

ESPALIER_HOST_DEVICE static inline HingeImage HingeImageOf(float left, float right, float lower,
                                                           float upper) {
  const float slope_lower = lower < 0.0f ? left : right, slope_upper = upper < 0.0f ? left : right;
  const float at_lower = slope_lower * lower, at_upper = slope_upper * upper;
  const bool rises = at_lower <= at_upper, kink = lower < 0.0f && upper > 0.0f;
  HingeImage image;
  image.low = rises ? at_lower : at_upper;
  image.high = rises ? at_upper : at_lower;
  const bool low_at_kink = kink && image.low > 0.0f, high_at_kink = kink && image.high < 0.0f;
  image.low_by_lower = rises && !low_at_kink ? slope_lower : 0.0f;
  image.low_by_upper = rises || low_at_kink ? 0.0f : slope_upper;
  image.high_by_lower = rises || high_at_kink ? 0.0f : slope_lower;
  image.high_by_upper = rises && !high_at_kink ? slope_upper : 0.0f;
  image.low = low_at_kink ? 0.0f : image.low;
  image.high = high_at_kink ? 0.0f : image.high;
  return image;
}

class Training {
 public:
  virtual ~Training() = default;

  // UNIMPLEMENTED for maps other than dense and (not transposed) convolution. RESOURCE_EXHAUSTED.
  virtual absl::StatusOr<std::unique_ptr<TrainableMap>> MakeTrainable(const ir::LinearMap& map) = 0;
  // To be called after weights() were written, before the map is used again.
  virtual void WeightsChanged(TrainableMap& map) = 0;

  // y[rows][out] = x W^T;  gx[rows][in] = gy W;  map.gradient() = sum_r gy_r x_r^T. All overwrite.
  virtual void Forward(TrainableMap& map, int64_t rows, const float* x, float* y) = 0;
  virtual void Backward(TrainableMap& map, int64_t rows, const float* gy, float* gx) = 0;
  virtual void WeightGradient(TrainableMap& map, int64_t rows, const float* x, const float* gy) = 0;

  // y[r][:] += vec[:];  out[:] = sum over rows of g[r][:]. An image node with one bias a channel passes
  // rows * height * width as rows and its channels as n.
  virtual void AddRows(int64_t rows, int64_t n, const float* vec, float* y) = 0;
  virtual void ColumnSums(int64_t rows, int64_t n, const float* g, float* out) = 0;

  // Hinges left, right, intercept [n]: y = intercept + (z < 0 ? left : right) z, and its gradient in place on
  // g: g *= (z < 0 ? left : right). At z = 0 the right slope passes.
  virtual void HingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                            float* y) = 0;
  virtual void HingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const float* z,
                             float* g) = 0;
  // From the gradient gy of the activations' outputs (before HingeBackward) and their inputs z.
  virtual void LineGradient(int64_t rows, int64_t n, const float* z, const float* gy,
                            const LineGradients& out) = 0;

  // The smallest box around the hinges' image of a box (interval bound propagation, Gowal et al. 2018), and
  // its gradient in place: g holds d(loss)/d(to.centre) and d(loss)/d(to.radius), then those of `from`. Where
  // the kink is an end of the image, that end does not move.
  virtual void BoxHingeForward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const BoxRows& from,
                               const BoxRows& to) = 0;
  virtual void BoxHingeBackward(int64_t rows, int64_t n, const HingeArrays<float>& hinge, const BoxRows& from,
                                const BoxRows& g) = 0;
  // The logits of a box that are worst for the label: centre + radius, and centre - radius at the label. A
  // null centre counts as zero: then it is the gradient of the radii, given that of the worst logits.
  virtual void WorstLogits(int64_t rows, int64_t classes, const int32_t* label, const BoxRows& from,
                           float* out) = 0;
  // y = |x|;  y += sign(s) x, with sign(0) = 0: |W| and what a gradient of |W| says about W.
  virtual void Absolute(int64_t count, const float* x, float* y) = 0;
  virtual void AddSigned(int64_t count, const float* s, const float* x, float* y) = 0;

  virtual void CrossEntropy(int64_t rows, int64_t classes, const float* logits, const LossTarget& target,
                            const LossResult& result) = 0;

  virtual void Descend(int64_t count, const DescentStep& step, const float* gradient, float* velocity,
                       float* weight) = 0;

  // The box around x, element by element.
  virtual void BoxAround(int64_t count, const float* x, const BoxShape& shape, float* lower,
                         float* upper) = 0;
  // x[i] = lower[i] + CounterUniform(key, i) * (upper[i] - lower[i])
  virtual void UniformInBox(int64_t count, const RandomKey& key, const float* lower, const float* upper,
                            float* x) = 0;
  // x <- min(max(x + rate * sign(g), lower), upper)
  virtual void SignStep(int64_t count, float rate, const float* g, const float* lower, const float* upper,
                        float* x) = 0;
};

}  // namespace espalier::backend
