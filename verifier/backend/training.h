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
#include "verifier/backend/training_math.h"
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

// A row per sample: mask[i] == 1 where neuron i is grafted.
struct LineGradients {
  const float* mask = nullptr;  // [n]
  float* slope = nullptr;       // [n], to be written: sum over rows of gy z, 0 where mask is 0
  float* intercept = nullptr;   // [n], to be written: sum over rows of gy, 0 where mask is 0
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
