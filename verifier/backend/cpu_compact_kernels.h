// Kernels of the CPU's compact bounder, one table per instruction set. Arrays are [neurons][lanes]: a lane is
// a domain, and `lanes` (16 or 32) neighbouring floats are one neuron of all domains of a tile, so that every
// operation is a full vector whatever the network's sparsity.
#pragma once

#include <cstdint>

#include "verifier/backend/pull_rows.h"

namespace espalier::backend {

// Lines of `count` unstable neurons. Per-neuron arrays are shared by all lanes.
struct TileLines {
  int64_t count = 0;
  const float *left = nullptr, *right = nullptr, *chord_slope = nullptr, *chord_intercept = nullptr;
};

// Adam, per lane.
struct TileAdam {
  const float *rate = nullptr, *correction1 = nullptr, *correction2 = nullptr;
  const int32_t* begun = nullptr;  // zero: the lane's first step, whatever its moments hold
};

// Lines in double, with what a certificate reads of them.
struct CertifyLineArrays {
  int64_t count = 0;
  const double *left = nullptr, *right = nullptr, *chord_slope = nullptr, *chord_intercept = nullptr;
};

// Cuts of an activation stage's neurons.
template <class T>
struct CutIndexOf {
  int64_t count = 0;
  const int32_t* neuron = nullptr;            // of the stage, counted from 0
  const T *left = nullptr, *right = nullptr;  // of the stage's neurons
};

inline constexpr int kCertifyLanes = 16;
// Sums over neurons are made in pieces of so many, and these then added up.
inline constexpr int64_t kCompactPiece = 64;

// One backward pass in double, kCertifyLanes lanes. `scales` collect the magnitudes of what `sums` collect.
struct CertifyKernels {
  void (*pull)(const PullRowsOf<double>& rows, double* slots);
  void (*dot)(int64_t n, const double* values, const double* lambda, double* sums);
  // scales[lane] += sum_i values[i] * |lambda[i][lane]|
  void (*abs_dot)(int64_t n, const double* values, const double* lambda, double* scales);
  // As CompactKernels::lines, without keeping what came in.
  void (*lines)(const CertifyLineArrays& lines, const double* alpha, double* lambda, double* sums,
                double* scales);
  void (*scatter)(int64_t n, const int32_t* index, const double* from, double* to);
  // As CompactKernels::cut_back.
  void (*cut_back)(const CutIndexOf<double>& cuts, const double* lambda, double* to);
  void (*concretise)(int64_t n, const double* lower, const double* upper, const double* lambda, double* sums,
                     double* scales);
};

struct SpreadTable {
  const float* values = nullptr;
  const int32_t* index = nullptr;  // [lanes] < 0: the lane is left alone
};

struct CompactKernels {
  int64_t group_rows;  // most rows of a PullGroup

  // slot first + i = bias + sum over the columns' slots
  void (*pull)(const PullRows& rows, float* slots, int64_t lanes);
  // lambda[i][lane] += values[i] * factor[lane]
  void (*add_multiple)(int64_t n, const float* values, const float* factor, float* lambda, int64_t lanes);
  // sums[lane] += sum_i values[i] * lambda[i][lane]
  void (*dot)(int64_t n, const float* values, const float* lambda, double* sums, int64_t lanes);
  // Backward through lines, in place; keeps what came in. sums receive the chords' constants.
  void (*lines)(const TileLines& lines, const float* alpha, float* lambda, float* saved, double* sums,
                int64_t lanes);
  // to[index[j]] += from[j]
  void (*scatter)(int64_t n, const int32_t* index, const float* from, float* to, int64_t lanes);
  // to[i] = lambda of the cut's neuron where that is on its chord, else 0
  void (*cut_back)(const CutIndexOf<float>& cuts, const float* lambda, float* to, int64_t lanes);
  // out of the cut's neuron += cut[i] where the neuron is on its chord
  void (*cut_forward)(const CutIndexOf<float>& cuts, const float* lambda, const float* cut, float* out,
                      int64_t lanes);
  // sums += minimum over the box; lambda becomes the corner that attains it.
  void (*concretise)(int64_t n, const float* lower, const float* upper, float* lambda, double* sums,
                     int64_t lanes);
  // out[j] = line of in[index[j]], and an Adam step on the slopes.
  struct StepArrays {
    const int32_t* index;
    const float *saved, *in;
    float *alpha, *first, *second, *out;
  };
  void (*step)(const TileLines& lines, const TileAdam& adam, const StepArrays& arrays, int64_t lanes);
  // to = better[lane] ? from : to
  void (*keep)(int64_t n, const int32_t* better, const float* from, float* to, int64_t lanes);
  // mean += share[lane] * (from - mean); a share of 1 leaves no trace of what the mean was
  void (*add_to_mean)(int64_t n, const float* share, const float* from, float* mean, int64_t lanes);
  // to[i][lane] = table[i * spread_width + index[lane]] where index[lane] >= 0. Rows of a table are
  // spread_width long.
  int64_t spread_width;
  void (*spread)(int64_t n, const SpreadTable& table, float* to, int64_t lanes);
  // scores[i][lane] as SplitScore, most[lane] the largest of these neurons'
  void (*score)(const TileLines& lines, const float* saved, float* scores, float* most, int64_t lanes);
  // to[i][lane] = (from - lo[i]) * scale[i], between 0 and 255, rounded
  void (*to_bytes)(int64_t n, const float* lo, const float* scale, const float* from, uint8_t* to,
                   int64_t lanes);
  CertifyKernels certify;
};

const CompactKernels& BestCompactKernels();

}  // namespace espalier::backend
