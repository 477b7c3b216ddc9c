// Which rows of a layer deserve to be split often (row_splits.h): those of whose bounds the margins owe most.
//
//   const std::vector<bool> worthy = RowsWorthSplitting(gains[a], box, unstable);   // two rows a neuron
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/bounds/relaxation.h"

namespace espalier::bounds {

// About what margins would gain if a neuron's relaxation lost nothing, per activation and neuron, in any
// unit.
using NeuronGains = std::vector<std::vector<double>>;

// Of the rows of `unstable` neurons, whose interval is the box's (lower bound, upper bound of each): the
// fewest that together hold nearly all of what moving each bound a little is worth. A bound that moves takes
// its share of the neuron's looseness -l·u / (u - l) along.
std::vector<bool> RowsWorthSplitting(const std::vector<double>& gains, const LayerBox& box,
                                     const std::vector<int32_t>& unstable);

}  // namespace espalier::bounds
