// When a search divides its root into parts (part_search.h). The defaults are what was measured to pay
// (docs/search.md); tests divide at once.
#pragma once

#include <cstdint>

namespace espalier::search {

// Numbers that end in `log` are powers of two.
struct DivideRule {
  // Progress is looked at after this part of a root's cost, then after every doubling.
  int64_t first_look = 8;
  // The part is made sharper when the search seems to need so many times what a pair of halves costs, and
  // once that has paid for another disjunct of the box.
  double sharpen_log = 3, sharpen_again_log = -2;
  // Its rows are split more often when the search seems to need so many times what that costs.
  double split_log = 2;
  // Halves are made when the search seems to need so many times what they cost,
  double trial_log = 5;
  // and taken when they seem to need so many times less: early estimates of the search are too high,
  double early_log = 3, late_log = 1;
  int64_t late = 32;  // roots' costs that were spent on the search
  // and the neurons that gain most are split first, so that those of halves gain less. An input can be halved
  // again and again;
  double neuron_log = 3;
  // below so few unstable neurons it is not: to enumerate their sides takes less.
  int64_t few_neurons = 16;
};

}  // namespace espalier::search
