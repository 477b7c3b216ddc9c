// Many domains of one root bounded at once, on a network that keeps only the neurons that are alive there.
//
// Below a root, a neuron whose sign is known is either constant, and then nothing of it is left, or linear,
// and then its slope belongs to the weights behind it. What remains is a small sparse network over *slots*:
// the inputs, the live pre-activations, and the outputs of unstable neurons. A device that implements this
// interface keeps a group of domains in its fastest memory through all optimisation steps; one that does not
// (Backend::MakeCompact answers UNIMPLEMENTED) computes the same with the primitives of backend.h.
//
//   std::optional<CompactNetwork> network = bounds::MakeCompactNetwork(...);
//   ESPALIER_ASSIGN_OR_RETURN(auto bounder, backend.MakeCompact(*std::move(network)));
//   CompactDomain domain{.output = weights, .offset = -rhs, .splits = {{.neuron = 7, .sign = 1}}};
//   ESPALIER_RETURN_IF_ERROR(bounder->Bound(absl::MakeSpan(&domain, 1), {.iterations = 20}));
//   if (domain.bound > 0) ...                    // in float32: to be certified elsewhere before it counts
//
// What CompactBounder computes is float32 and heuristic: no verdict rests on it. The network itself is in
// double, and says how far it may be from the one it was made of: compact_certifier.h proves bounds with it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace espalier::backend {

// Sparse rows; columns are slots, rising in each row.
struct CompactRows {
  std::vector<int64_t> begin{0};  // [rows + 1]
  std::vector<int32_t> column;
  std::vector<double> value;
  int64_t count() const { return static_cast<int64_t>(begin.size()) - 1; }
};

// Either the live neurons of an affine node: slot begin + r = bias[r] + row r over earlier slots; or the
// unstable neurons of an activation: slot begin + j = a line of slot source[j], for unstable neuron
// first_unstable + j.
//
// An activation of *cuts* stands right before the activation that they belong to. Its neuron j is min(0, d)
// of its source d (max(0, d) for a concave one), and may be added to the chord of neuron cut_of[j]: where the
// chord c(x) of a convex neuron bounds it from above, c(x) + d does so too. Nothing else reads it, and it is
// never split. bounds/cuts.h makes such stages.
struct CompactStage {
  int32_t begin = 0;
  CompactRows rows;             // affine
  std::vector<double> bias;     // affine
  int32_t first_unstable = 0;   // activation
  std::vector<int32_t> source;  // activation
  int32_t source_stage = -1;    // the affine stage that the sources are in
  std::vector<int32_t> cut_of;  // activation of cuts: neurons of the next stage, counted from 0 there
  int32_t size() const { return static_cast<int32_t>(bias.size() + source.size()); }
};

// Lines of unstable neurons as in neuron_math.h, without the hinge's own intercept, which is in the bias of
// what reads the neuron. left == right: linear, chord_slope is its slope.
template <class T>
struct CompactLinesOf {
  std::vector<T> left, right, chord_slope, chord_intercept, free_start;
  int64_t size() const { return static_cast<int64_t>(left.size()); }
};
using CompactLines = CompactLinesOf<double>;

struct CompactNetwork {
  int32_t inputs = 0;  // slots 0 .. inputs-1
  int32_t slots = 0;
  std::vector<CompactStage> stages;  // in order: rows read slots of earlier stages only
  // Outputs are first_output ..: the last stage's rows, in network order. -1: for rows of inner stages only.
  int32_t first_output = 0;
  std::vector<double> lower, upper;  // [inputs] the root's box
  CompactLines lines;                // layer by layer as the search counts unstable neurons
  // [slots] At every point of the root's region, the sum of |entry · value| over a row and of its |bias| is
  // at most `magnitude`, and the row is off by at most `rounding` unit roundoffs of double. Of slots that are
  // no row: a bound on |value|, and 0.
  std::vector<double> magnitude, rounding;
  // [slots] What a slot stands for, rising: the same number in all that is left of one network below whatever
  // root. -1 for cuts.
  std::vector<int32_t> origin;
  // ConsumersOf() what is above, for those who have the network listed more than once; without rows: not
  // made.
  CompactRows consumers;

  int64_t unstable() const { return lines.size(); }
  int64_t outputs() const { return static_cast<int64_t>(stages.back().bias.size()); }
  // Multiply-adds of one pass of one domain.
  int64_t work() const {
    int64_t sum = 0;
    for (const CompactStage& stage : stages) sum += static_cast<int64_t>(stage.rows.value.size());
    return sum;
  }
};

// For every slot the rows that read it: column = slot of the row.
CompactRows ConsumersOf(const CompactNetwork& network);

// Whether any stage is one of cuts.
bool HasCuts(const CompactNetwork& network);

// What is left of a network for those who have its rows in a form of their own.
CompactNetwork WithoutRows(const CompactNetwork& network);

// x >= 0 (sign +1) or x <= 0 (-1) of an unstable neuron, with its multiplier.
struct CompactSplit {
  int32_t neuron = 0;
  float sign = 1;
  float beta = 0;
};

// {x : normal·x + offset <= 0}: outside of it, points are of no interest.
struct CompactHalfSpace {
  std::vector<float> normal;  // [inputs]
  double offset = 0;
};

// One domain: what is bounded, from where the optimisation starts, and what came out of it.
struct CompactDomain {
  std::vector<float> output;  // [outputs] coefficients of the margin; when empty:
  int32_t unit = 0;           // sign times row `unit` of the start stage
  float sign = 1;
  const double* input = nullptr;  // [inputs] coefficients added at the input; null: none
  double offset = 0;
  absl::Span<const uint8_t> start;   // [unstable] slopes between left and right in 255 steps; empty: adaptive
  std::vector<CompactSplit> splits;  // at most one per neuron; after an optimisation, the best multipliers
  double bound = 0;                  // out: best bound of the margin
  std::vector<uint8_t> slopes;       // out: best slopes of the neurons before the start stage, when wanted
  std::vector<float> exact_slopes;   // the same, not rounded
  std::vector<std::pair<int32_t, float>> candidates;  // out: neurons with the best scores, best first
  std::vector<float> corner;                          // out: [inputs] corner of the last pass, when wanted
  // out: the relaxation's point and its dual, means over the passes, later ones weighing more. Empty when
  // they are not wanted or there was one pass only.
  std::vector<float> point;         // [slots] values
  std::vector<float> coefficients;  // [unstable] of the neurons' outputs; zero where split
};

// A domain with one more split, whose multiplier is zero.
struct CompactTrial {
  const CompactDomain* domain = nullptr;
  CompactSplit split;
  double bound = 0;  // out
};

struct CompactSettings {
  int64_t iterations = 1;   // passes of a domain; it ends sooner once its bound is positive
  double alpha_rate = 0.1;  // Adam, as bounds::OptimiseSettings
  double beta_rate = 0.05;
  double decay = 0.98;
  // The stage whose slots are bounded; it and all later ones are not passed. -1: the outputs, which it has to
  // be where cuts' neurons are numbered behind all others.
  int32_t start_stage = -1;
  const CompactHalfSpace* half_space = nullptr;  // bounds need hold inside only; null: in the whole box
  int64_t candidates = 0;                        // scores kept per domain (branching); 0: none
  bool exact_slopes = false;                     // wanted
  bool slopes = false;                           // wanted
  bool corners = false;                          // wanted
  bool points = false;                           // wanted; of domains that take more than one pass
};

class CompactBounder {
 public:
  virtual ~CompactBounder() = default;
  // Results do not depend on the number of threads, nor, where outputs are bounded, on the order of the
  // domains or on what else is in the list. Rows of an inner stage are bounded with their neighbours in the
  // list, which may show in their last digits. CANCELLED when the backend's stop token fires; results are
  // then unspecified.
  virtual absl::Status Bound(absl::Span<CompactDomain> domains, const CompactSettings& settings) = 0;
  // One pass of each trial from its domain's own slopes and multipliers; as Bound otherwise.
  virtual absl::Status Try(absl::Span<CompactTrial> trials);
  // Replaces the lines of unstable neurons first, first + 1, ...
  virtual void SetLines(int32_t first, const CompactLines& lines) = 0;
  // What the device did since this was asked last, by name, for the run's statistics.
  virtual std::map<std::string, int64_t> TakeCounts() { return {}; }
};

}  // namespace espalier::backend
