// What the passes of a tile touch: everything, or only what rows of an inner stage are made of.
//
// A row of a convolution reads few slots of the layer before it, these read few of the one before, and so on
// to the inputs: its cone. Of all other slots the coefficients are zero throughout. The rows of a tile lie
// side by side and have most of their cones in common, so that passes over the union of these do what passes
// over everything would.
//
//   TileReach cone;
//   program.PrepareStart(start_stage);
//   MakeCone(program, start_stage, {rows, neurons}, marks, cone);
//
// A cone consists of whole groups of rows: with a slot it has all that are written together with it going
// forward. Slots outside of it have to be zero before the first pass, and stay so.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/backend/pull_rows.h"

namespace espalier::backend {

struct CompactProgram;

struct TileReach {
  struct Range {
    int32_t begin = 0, end = 0;
    int32_t size() const { return end - begin; }
  };
  // Per stage before the start. Groups read slots before the start only.
  std::vector<std::vector<PullGroup>> backward, forward;
  std::vector<PullGroup> to_inputs;
  std::vector<std::vector<Range>> lines;  // of activations: the stage's unstable neurons, counted from 0
  std::vector<Range> affine;              // of affine stages: slots; others of the stage are zero
  std::vector<Range> inputs;

  // Multiply-adds of a pass in both directions, and what is done for each input in these.
  int64_t Work() const;
};

// All that lies before `start_stage`; its own rows are not among what is read. -1: before the outputs, whose
// few rows are read as all others are.
TileReach WholeReach(const CompactProgram& program, int32_t start_stage);

// What a cone begins with: slots of the start stage, and unstable neurons that multipliers may add to rows.
struct ConeTips {
  std::vector<int32_t> rows, neurons;
};

// `marks`: a byte per slot, afterwards nonzero where the cone is. `cone`: lists that are used again.
void MakeCone(const CompactProgram& program, int32_t start_stage, const ConeTips& tips,
              std::vector<uint8_t>& marks, TileReach& cone);

}  // namespace espalier::backend
