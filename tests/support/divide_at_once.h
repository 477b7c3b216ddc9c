// A rule by which searches divide their root into parts at once, as often as they can, at inputs too: on
// networks as small as those of tests the product hardly would.
#pragma once

#include <limits>

#include "verifier/search/divide_rule.h"

namespace espalier::testing {

inline constexpr double kAlways = -std::numeric_limits<double>::infinity();
inline constexpr search::DivideRule kAtOnce = {.first_look = 1 << 30,
                                               .sharpen_log = kAlways,
                                               .split_log = kAlways,
                                               .trial_log = kAlways,
                                               .early_log = kAlways,
                                               .late_log = kAlways,
                                               .few_neurons = 2};

// Makes roots sharper at once, as often as it can, and never divides them.
inline constexpr search::DivideRule kSharpenAtOnce = {.first_look = 1 << 30,
                                                      .sharpen_log = kAlways,
                                                      .split_log = kAlways,
                                                      .trial_log = kAlways,
                                                      .early_log = -kAlways,
                                                      .late_log = -kAlways};

}  // namespace espalier::testing
