// When a search divides its root into parts (part_search.h). The defaults are what was measured to pay
// (docs/search.md); tests divide at once.
#pragma once

#include <cstdint>

namespace espalier::search {

// Numbers that end in `log` are powers of two.
struct DivideRule {
  int64_t first_look =
      8;                 // progress is looked at after this part of a root's cost, then after every doubling
  double trial_log = 5;  // halves are made when the search seems to need so many times what they cost,
  // and taken when they seem to need so many times less: early estimates of the search are too high. Late:
  // after `late` roots' costs.
  double early_log = 3, late_log = 1;
  int64_t late = 8;
};

}  // namespace espalier::search
