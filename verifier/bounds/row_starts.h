// Where the rows of a refinement (refine.h) begin and where they have ended, so that the next one of the same
// box, under further sides, begins there and needs fewer steps. A heuristic: what is bounded holds from
// whatever slopes it starts.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "verifier/backend/compact.h"
#include "verifier/bounds/row_network.h"

namespace espalier::bounds {

// Bytes of slopes that are kept of one refinement.
inline constexpr int64_t kMostRefineMemory = int64_t{1} << 25;

// A side of a neuron that the bounds need hold on: pre-activation >= 0 (+1) or <= 0 (-1).
struct NeuronSide {
  int32_t activation = 0, neuron = 0;
  int8_t sign = 1;
};

struct RefineMemory {
  struct Row {
    std::vector<uint8_t> slopes;  // of `unstable` before the row's layer, in 255 steps; empty: not known
    std::vector<float> betas;     // of `sides` before the row's layer, in their order
  };
  std::vector<NeuronSide> sides;
  std::vector<std::vector<int32_t>> unstable;  // per activation: the neurons as slopes are numbered
  std::vector<std::vector<Row>> rows;  // per activation: lower bound, upper bound of each of `unstable`
  bool empty() const { return rows.empty(); }
};

// Where a row begins or has ended, unstable neurons numbered as without cuts.
using RowStart = RefineMemory::Row;

class RowStarts {
 public:
  // All of them outlive this. `from`, `keep`: null or as in RefineSettings.
  RowStarts(const RowNetwork& network, const std::vector<NeuronSide>& sides, const RefineMemory* from,
            RefineMemory* keep)
      : network_(network), sides_(sides), from_(from), keep_(keep) {}
  // Once the network is there: how what is given numbers its neurons, and how what is kept does. What takes
  // too much memory is not kept.
  void Number();
  // The number of a side's neuron among all unstable ones; -1: it has none, or rows of the layer do not meet
  // it.
  int32_t NumberBefore(int activation, const NeuronSide& side) const;
  // What is known of the layer's rows; empty slopes: nothing.
  std::vector<RowStart> Known(int activation) const;
  std::vector<RowStart> Ended(int activation, const std::vector<backend::CompactDomain>& rows) const;
  // Has the rows begin there; `bytes` is what they refer to.
  void Begin(int activation, const std::vector<RowStart>& starts, std::vector<backend::CompactDomain>& rows,
             std::vector<std::vector<uint8_t>>& bytes) const;
  void Keep(int activation, std::vector<RowStart> rows) const;

 private:
  std::vector<int32_t> NumbersOf(int activation) const;

  const RowNetwork& network_;
  const std::vector<NeuronSide>& sides_;
  const RefineMemory* from_;
  RefineMemory* keep_;
  std::vector<int32_t> known_;  // per unstable neuron: its number in `from`
};

}  // namespace espalier::bounds
