// Bodies of the compact bounder. Arrays are [neurons][lanes] and a lane is a domain: the threads of a warp
// work on one neuron of 32 domains, so that what they load of the domains is contiguous whatever the
// network's sparsity, and what they load of the network is one number for all of them. Nothing is added
// across lanes.
#pragma once

#include "cuda_kernels/launch.cuh"
#include "verifier/backend/compact.h"
#include "verifier/backend/neuron_math.h"
#include "verifier/backend/pull_rows.h"

namespace espalier::cuda_kernels {

constexpr int64_t kStrips = 32;  // pieces of a sum over all neurons, each by threads of its own

struct CompactLine {
  float left, right, chord_slope, chord_intercept, free_start;
  __device__ float lo() const { return backend::Min(left, right); }
  __device__ float hi() const { return backend::Max(left, right); }
  __device__ bool OnFree(float value) const { return value * (left < right ? 1.0f : -1.0f) >= 0.0f; }
};

// The optimiser's rates of a lane.
struct Pace {
  float rate, beta_rate, correction1, correction2;
};

// What one thread a lane looks after.
struct LaneState {
  double offset, power1, power2;  // the margin's offset; 0.9^t and 0.999^t after t passes
  double plane_offset, plane_norm, plane_first, plane_second, plane_scale;  // of the half-space
  int64_t passes;
  int32_t unit;  // row that is bounded, with its sign; -1: the margin
  float sign;
  int32_t has_start;
};

struct CompactArrays {
  int64_t lanes;
  int32_t inputs;
  float* slots;                                  // [slots][lanes] coefficients, then values
  float *alpha, *first, *second, *best, *saved;  // [unstable][lanes]; of a split neuron: its multiplier
  int8_t* split;                                 // [unstable][lanes] sign of the split; 0: none
  const CompactLine* lines;                      // [unstable]
  int32_t *going, *better;                       // [lanes] not through yet; improved in the last pass
  Pace* pace;                                    // [lanes]
  LaneState* state;                              // [lanes]
  double *bound, *partial;                       // [lanes], [kStrips][lanes]
  double *plane_value, *row_size;  // [kStrips][lanes] of the half-space at the corner; see Judge
  float *output, *input;           // [outputs][lanes], [inputs][lanes]
  uint8_t* start;                  // [lanes][learning]
  float *normal, *plane;           // [inputs] of the half-space; [lanes] its multiplier

  __device__ float StartSlope(int64_t j, int64_t lane, int64_t learning) const {
    const CompactLine line = lines[j];
    if (state[lane].has_start == 0) return line.free_start;
    return line.lo() + (line.hi() - line.lo()) * (static_cast<float>(start[lane * learning + j]) / 255.0f);
  }
  // Backward through the line of neuron j: what of the coefficient goes on to its pre-activation.
  __device__ float Through(int64_t j, int64_t lane, float value) const {
    const int64_t at = j * lanes + lane;
    const CompactLine line = lines[j];
    const int8_t sign = split[at];
    saved[at] = sign != 0 ? 0.0f : value;
    if (sign != 0) return (sign > 0 ? line.right : line.left) * value - alpha[at] * static_cast<float>(sign);
    return value * (line.OnFree(value) ? alpha[at] : line.chord_slope);
  }
};

// A group of rows from the slots that they read: `columns` loads of a lane's numbers serve all of them.
struct PullBody {
  CompactArrays a;
  backend::PullRows rows;
  bool lines;          // the rows are unstable neurons: on through their lines
  int32_t first_line;  // neuron of slot 0
  __device__ void operator()(int64_t g, int64_t lane) const {
    if (a.going[lane] == 0) return;
    const backend::PullGroup group = rows.groups[g];
    switch (group.rows) {
      case 1:
        return Block<1>(group, lane);
      case 2:
        return Block<2>(group, lane);
      case 3:
        return Block<3>(group, lane);
      case 4:
        return Block<4>(group, lane);
      case 5:
        return Block<5>(group, lane);
      case 6:
        return Block<6>(group, lane);
      case 7:
        return Block<7>(group, lane);
      default:
        return Block<8>(group, lane);
    }
  }

 private:
  template <int kRows>
  __device__ void Block(const backend::PullGroup& group, int64_t lane) const {
    float sum[kRows];
    for (int i = 0; i < kRows; ++i) sum[i] = rows.bias == nullptr ? 0.0f : rows.bias[group.first + i];
    const int32_t* const column = rows.column + group.column_begin;
    const float* const weight = rows.weight + group.weight_begin;
#pragma unroll 4
    for (int64_t k = 0; k < group.columns; ++k) {
      AddColumn<kRows>(weight + k * kRows, a.slots[column[k] * a.lanes + lane], sum);
    }
    for (int i = 0; i < kRows; ++i) {
      const int32_t slot = group.first + i;
      a.slots[slot * a.lanes + lane] = lines ? a.Through(slot + first_line, lane, sum[i]) : sum[i];
    }
  }

  // A load a weight would keep the load units five times as long as the products take: four at a time.
  template <int kRows>
  __device__ static void AddColumn(const float* weight, float x, float* sum) {
    constexpr int kAtOnce = kRows % backend::kWeightAlignment == 0 ? backend::kWeightAlignment : 1;
    struct alignas(kAtOnce * sizeof(float)) Weights {
      float of[kAtOnce];
    };
    for (int i = 0; i < kRows; i += kAtOnce) {
      const Weights loaded = *reinterpret_cast<const Weights*>(weight + i);
      for (int j = 0; j < kAtOnce; ++j) sum[i + j] += loaded.of[j] * x;
    }
  }
};

// Coefficients of an activation's neurons on to the slots that they are lines of: each has one of its own.
struct ToSourceBody {
  CompactArrays a;
  int32_t begin;
  const int32_t* source;
  __device__ void operator()(int64_t j, int64_t lane) const {
    if (a.going[lane] != 0) a.slots[source[j] * a.lanes + lane] += a.slots[(begin + j) * a.lanes + lane];
  }
};

// What the input has of its own: coefficients of the row, and the multiple of the half-space.
struct AddInputBody {
  CompactArrays a;
  bool input, half_space;
  __device__ void operator()(int64_t i, int64_t lane) const {
    if (a.going[lane] == 0) return;
    float& slot = a.slots[i * a.lanes + lane];
    if (input) slot += a.input[i * a.lanes + lane];
    if (half_space) slot += a.normal[i] * a.plane[lane];
  }
};

// Part of the bound: constants of the slots of one strip, and at the inputs the minimum over the box.
struct TotalBody {
  CompactArrays a;
  int64_t slots;          // up to the last that is bounded
  const float* constant;  // [slots]
  const int32_t* neuron;  // [slots] its number where the slot is an unstable one, else -1
  const float *lower, *upper;
  bool half_space;
  __device__ void operator()(int64_t strip, int64_t lane) const {
    if (a.going[lane] == 0) return;
    const int64_t length = (slots + kStrips - 1) / kStrips;
    double sum = 0, plane = 0, size = 0;
#pragma unroll 4
    for (int64_t s = strip * length; s < backend::Min(slots, (strip + 1) * length); ++s) {
      float factor = constant[s], value = 0;
      if (s < a.inputs) {
        float& slot = a.slots[s * a.lanes + lane];
        value = slot;
        slot = factor = value >= 0.0f ? lower[s] : upper[s];
        if (half_space) {
          plane += static_cast<double>(a.normal[s]) * static_cast<double>(factor);
          size += static_cast<double>(backend::Abs(value));
        }
      } else if (neuron[s] >= 0) {
        const CompactLine line = a.lines[neuron[s]];
        value = a.saved[neuron[s] * a.lanes + lane];
        factor = line.OnFree(value) ? 0.0f : line.chord_intercept;
      } else if (factor != 0.0f) {
        value = a.slots[s * a.lanes + lane];
      }
      sum += static_cast<double>(value) * static_cast<double>(factor);
    }
    a.partial[strip * a.lanes + lane] = sum;
    if (!half_space) return;
    a.plane_value[strip * a.lanes + lane] = plane;
    a.row_size[strip * a.lanes + lane] = size;
  }
};

// Keeps what improved, ends the lanes that are through, and prepares the others' next step.
struct JudgeBody {
  CompactArrays a;
  int64_t iterations;
  float decay;
  bool half_space;
  __device__ void operator()(int64_t lane) const {
    a.better[lane] = 0;
    if (a.going[lane] == 0) return;
    LaneState& s = a.state[lane];
    Pace& pace = a.pace[lane];
    double sum = s.offset + (half_space ? static_cast<double>(a.plane[lane]) * s.plane_offset : 0.0);
    for (int64_t strip = 0; strip < kStrips; ++strip) sum += a.partial[strip * a.lanes + lane];
    if (sum > a.bound[lane]) {
      a.bound[lane] = sum;
      a.better[lane] = 1;
    }
    if (s.passes++ > 0) {
      pace.rate *= decay;
      pace.beta_rate *= decay;
    }
    s.power1 *= 0.9;
    s.power2 *= 0.999;
    pace.correction1 = static_cast<float>(1.0 / (1.0 - s.power1));
    pace.correction2 = static_cast<float>(1.0 / (1.0 - s.power2));
    if (s.passes >= iterations || a.bound[lane] > 0) a.going[lane] = 0;
    if (half_space) StepPlane(lane, pace, s);
  }

 private:
  // Uphill along the half-space's value at the corner.
  __device__ void StepPlane(int64_t lane, const Pace& pace, LaneState& s) const {
    double gradient = s.plane_offset, size = 1e-30;
    for (int64_t strip = 0; strip < kStrips; ++strip) {
      gradient += a.plane_value[strip * a.lanes + lane];
      size += a.row_size[strip * a.lanes + lane];
    }
    if (s.plane_scale == 0)
      s.plane_scale = size / s.plane_norm;  // steps in proportion to the row's coefficients
    s.plane_first = 0.9 * s.plane_first + 0.1 * gradient;
    s.plane_second = 0.999 * s.plane_second + 0.001 * gradient * gradient;
    const double root = sqrt(s.plane_second * static_cast<double>(pace.correction2)) + 1e-30;
    const double move = static_cast<double>(pace.rate) * s.plane_scale * s.plane_first *
                        static_cast<double>(pace.correction1) / root;
    a.plane[lane] = backend::Max(0.0f, a.plane[lane] + static_cast<float>(move));
  }
};

// Forward through the lines of one activation, and the optimiser's step on its slopes and multipliers.
struct LineStepBody {
  CompactArrays a;
  int32_t begin, first_unstable;
  const int32_t* source;
  __device__ void operator()(int64_t j, int64_t lane) const {
    const int64_t at = (first_unstable + j) * a.lanes + lane;
    const float old = a.alpha[at];
    if (a.better[lane] != 0) a.best[at] = old;
    if (a.going[lane] == 0) return;
    const CompactLine line = a.lines[first_unstable + j];
    const float x = a.slots[source[j] * a.lanes + lane], value = a.saved[at];
    const auto sign = static_cast<float>(a.split[at]);
    const bool split = sign != 0.0f, on_free = line.OnFree(value);
    const float kept = sign > 0.0f ? line.right : line.left;
    const float gradient = split ? -sign * x : on_free ? value * x : 0.0f;
    const Pace pace = a.pace[lane];
    const backend::AdamRates<float> adam{split ? pace.beta_rate : pace.rate, pace.correction1,
                                         pace.correction2};
    const float next = old + backend::AdamMove(gradient, adam, &a.first[at], &a.second[at]);
    a.alpha[at] = split ? backend::Max(0.0f, next) : backend::Clamp(next, line.lo(), line.hi());
    a.slots[(begin + j) * a.lanes + lane] = split     ? kept * x
                                            : on_free ? old * x
                                                      : line.chord_slope * x + line.chord_intercept;
  }
};

struct StartSlopesBody {
  CompactArrays a;
  int64_t learning;
  __device__ void operator()(int64_t j, int64_t lane) const {
    const int64_t at = j * a.lanes + lane;
    a.alpha[at] = a.best[at] = a.StartSlope(j, lane, learning);
    a.first[at] = a.second[at] = 0.0f;
    a.split[at] = 0;
  }
};

struct StartRowsBody {
  CompactArrays a;
  int32_t begin;
  __device__ void operator()(int64_t row, int64_t lane) const {
    const LaneState& s = a.state[lane];
    const float unit = row == s.unit ? s.sign : 0.0f;
    a.slots[(begin + row) * a.lanes + lane] = s.unit < 0 ? a.output[row * a.lanes + lane] : unit;
  }
};

// A split of one lane, on its way in and out.
struct LaneSplit {
  int32_t lane, neuron;
  float sign, beta;
};
struct LoadSplitsBody {
  CompactArrays a;
  const LaneSplit* splits;
  __device__ void operator()(int64_t k) const {
    const LaneSplit s = splits[k];
    const int64_t at = s.neuron * a.lanes + s.lane;
    a.split[at] = s.sign > 0 ? 1 : -1;
    a.alpha[at] = a.best[at] = s.beta;
  }
};
struct TakeSplitsBody {
  CompactArrays a;
  LaneSplit* splits;
  __device__ void operator()(int64_t k) const {
    LaneSplit& s = splits[k];
    const int64_t at = s.neuron * a.lanes + s.lane;
    s.beta = a.better[s.lane] != 0 ? a.alpha[at] : a.best[at];
  }
};

// Best slopes, as they are or in 255 steps, row by row as the host keeps them.
struct TakeSlopesBody {
  CompactArrays a;
  int64_t learning;
  uint8_t* steps;
  float* exact;
  __device__ void operator()(int64_t j, int64_t lane) const {
    const int64_t at = j * a.lanes + lane, to = lane * learning + j;
    const CompactLine line = a.lines[j];
    float slope = a.better[lane] != 0 ? a.alpha[at] : a.best[at];
    if (a.split[at] != 0) slope = a.StartSlope(j, lane, learning);
    if (exact != nullptr) exact[to] = slope;
    if (steps == nullptr) return;
    const float range = line.hi() > line.lo() ? line.hi() - line.lo() : 1.0f;
    const float share = backend::Clamp((slope - line.lo()) / range, 0.0f, 1.0f);
    steps[to] = static_cast<uint8_t>(share * 255.0f + 0.5f);
  }
};

struct TakeCornersBody {
  CompactArrays a;
  float* corners;
  __device__ void operator()(int64_t i, int64_t lane) const {
    corners[lane * a.inputs + i] = a.slots[i * a.lanes + lane];
  }
};

// The neurons with the best scores, best first; a list of `keep` for every strip and lane.
struct Ranked {
  int32_t neuron;
  float score;
};
struct RankBody {
  CompactArrays a;
  int64_t learning, length, keep;  // neurons in all, and of a strip
  Ranked* lists;                   // [kStrips][keep][lanes]
  __device__ void operator()(int64_t strip, int64_t lane) const {
    Ranked* const list = lists + strip * keep * a.lanes + lane;
    for (int64_t k = 0; k < keep; ++k) list[k * a.lanes] = {-1, 0.0f};
    for (int64_t j = strip * length; j < backend::Min(learning, (strip + 1) * length); ++j) {
      const CompactLine line = a.lines[j];
      const float value = a.saved[j * a.lanes + lane];
      const bool on_free = (value >= 0.0f) == (line.left < line.right);
      Insert({static_cast<int32_t>(j), backend::SplitScore(value, on_free, line.chord_intercept)}, list);
    }
  }

 private:
  // Behind its equals: they came first.
  __device__ void Insert(Ranked item, Ranked* list) const {
    if (!(item.score > list[(keep - 1) * a.lanes].score)) return;
    int64_t k = keep - 1;
    for (; k > 0 && item.score > list[(k - 1) * a.lanes].score; --k)
      list[k * a.lanes] = list[(k - 1) * a.lanes];
    list[k * a.lanes] = item;
  }
};
// The best of all strips, of equals those of the first strip.
struct MergeRanksBody {
  int64_t lanes, each, keep;  // of a strip's list, and of the result
  const Ranked* lists;
  Ranked* best;  // [keep][lanes]
  __device__ void operator()(int64_t lane) const {
    int32_t taken[kStrips] = {};
    for (int64_t k = 0; k < keep; ++k) {
      Ranked next{-1, 0.0f};
      int64_t from = 0;
#pragma unroll 1  // unrolled it keeps `taken` in registers, and spills others
      for (int64_t strip = 0; strip < kStrips; ++strip) {
        if (taken[strip] >= each) continue;
        const Ranked head = lists[(strip * each + taken[strip]) * lanes + lane];
        if (head.score > next.score) next = head, from = strip;
      }
      best[k * lanes + lane] = next;
      ++taken[from];  // when nothing is left, it does not matter
    }
  }
};

}  // namespace espalier::cuda_kernels
