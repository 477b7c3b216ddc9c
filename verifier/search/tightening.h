// Which neurons, and inputs, tighten the bounds of others when they are split.
//
// A split takes a neuron's looseness out of everything behind it: out of the margin directly (the score of
// Bunel et al. 2020), and out of the bounds of later neurons, whose lines then come closer to each other. The
// second counts only where bounds are refined after the split (part_root.h), and there it is often most of
// it: an early neuron hardly shows in the margin, and in the bounds of every neuron behind it. An input takes
// a share of all that it moves along (input_influence.h).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "verifier/bounds/row_worth.h"
#include "verifier/search/part_root.h"

namespace espalier::search {

// What the bounds of the part's open targets would gain without each neuron's looseness, relative to what is
// missing, on average over the targets.
absl::StatusOr<bounds::NeuronGains> LoosenessGains(Run& run, const PartRoot& part);

// Up to `count` neurons of each layer of the part, and `inputs` where few are free, the most promising first;
// score: its gain.
absl::StatusOr<std::vector<Candidate>> TighteningSplits(Run& run, const PartRoot& part, size_t count,
                                                        bool inputs);

}  // namespace espalier::search
