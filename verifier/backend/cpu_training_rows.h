// Kernels of training on the CPU over one tile: some rows and columns of a batch. One table per instruction
// set; the caller runs tiles in parallel. See training.h for what each computes.
#pragma once

#include <cstdint>

#include "verifier/backend/training_math.h"

namespace espalier::backend {

// `rows` rows of `count` neighbouring columns; a row begins `stride` elements after the one before it.
struct Tile {
  int64_t rows, count, stride;
};

struct TrainingTable {
  void (*add_rows)(const Tile& tile, const float* vec, float* y);
  // sum[0..count) = sums over the tile's rows of g, of g z.
  void (*column_sums)(const Tile& tile, const float* g, double* sum);
  void (*column_dots)(const Tile& tile, const float* g, const float* z, double* sum);
  void (*hinge_forward)(const Tile& tile, const HingeArrays<float>& hinge, const float* z, float* y);
  void (*hinge_backward)(const Tile& tile, const HingeArrays<float>& hinge, const float* z, float* g);
  void (*box_hinge_forward)(const Tile& tile, const HingeArrays<float>& hinge, const BoxRows& from,
                            const BoxRows& to);
  void (*box_hinge_backward)(const Tile& tile, const HingeArrays<float>& hinge, const BoxRows& from,
                             const BoxRows& g);

  // Element by element.
  void (*absolute)(int64_t count, const float* x, float* y);
  void (*add_signed)(int64_t count, const float* s, const float* x, float* y);
  void (*descend)(int64_t count, const DescentStep& step, const float* gradient, float* velocity,
                  float* weight);
  void (*box_around)(int64_t count, const float* x, const BoxShape& shape, float* lower, float* upper);
  void (*uniform_in_box)(int64_t first, int64_t count, const RandomKey& key, const float* const* box,
                         float* x);
  void (*sign_step)(int64_t count, float rate, const float* g, const float* const* box, float* x);
};

// Best table for this processor.
const TrainingTable& BestTrainingTable();

}  // namespace espalier::backend
