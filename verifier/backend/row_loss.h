// The training loss of one row (training.h, CrossEntropy), the same on every device: a row has few classes,
// so one thread computes it.
#pragma once

#include <cmath>
#include <cstdint>

#include "verifier/backend/neuron_math.h"
#include "verifier/backend/training.h"

// Unrolled, a row's exponentials need more registers than a card's thread has.
#if defined(__CUDA_ARCH__)
#define ESPALIER_ROLLED _Pragma("unroll 1")
#else
#define ESPALIER_ROLLED
#endif

namespace espalier::backend {

// What a softmax needs of one row of logits; NaN anywhere: NaN. Own linkage, as MixBits of training.h.
struct SoftmaxScale {
  double top, sum;
  ESPALIER_HOST_DEVICE double Share(float logit) const {
    return std::exp(static_cast<double>(logit) - top) / sum;
  }
};

ESPALIER_HOST_DEVICE static inline SoftmaxScale ScaleOf(int64_t classes, const float* logits) {
  SoftmaxScale scale{static_cast<double>(logits[0]), 0};
  ESPALIER_ROLLED
  for (int64_t c = 1; c < classes; ++c) scale.top = Max(static_cast<double>(logits[c]), scale.top);
  ESPALIER_ROLLED
  for (int64_t c = 0; c < classes; ++c) scale.sum += std::exp(static_cast<double>(logits[c]) - scale.top);
  return scale;
}

ESPALIER_HOST_DEVICE static inline void RowLoss(int64_t classes, int64_t r, const float* logits,
                                                const LossTarget& target, const LossResult& result) {
  const float* const row = logits + r * classes;
  const int32_t label = target.label[r];
  const SoftmaxScale scale = ScaleOf(classes, row);
  if (result.loss != nullptr) {
    result.loss[r] = static_cast<float>(scale.top + std::log(scale.sum) - static_cast<double>(row[label]));
  }
  if (result.correct != nullptr) {
    bool first = true;  // written so that NaN is wrong
    ESPALIER_ROLLED
    for (int64_t c = 0; c < classes; ++c) first = first && (c == label || row[label] > row[c]);
    result.correct[r] = first ? 1.0f : 0.0f;
  }
  if (result.gradient == nullptr) return;
  const double distil = target.teacher != nullptr ? static_cast<double>(target.distil) : 0.0;
  const float* const teacher = distil > 0 ? target.teacher + r * classes : row;
  const SoftmaxScale teaching = distil > 0 ? ScaleOf(classes, teacher) : scale;
  ESPALIER_ROLLED
  for (int64_t c = 0; c < classes; ++c) {
    double wanted = c == label ? 1.0 - distil : 0.0;
    if (distil > 0) wanted += distil * teaching.Share(teacher[c]);
    result.gradient[r * classes + c] = static_cast<float>(scale.Share(row[c]) - wanted);
  }
}

}  // namespace espalier::backend
