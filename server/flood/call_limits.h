// How many calls connections may make the server hold, and who goes when it is too many.
//
//   for (const HeldCalls& one : TooMany(accounts.Held(), {.of_one = 2048, .of_all = 16384})) HangUp(one);
#pragma once

#include <cstdint>
#include <vector>

#include "server/flood/held_calls.h"

namespace espalier::server {

struct CallLimits {
  int64_t of_one = 0;  // connection
  int64_t of_all = 0;
};

// All above `of_one`, and of the others those with the most calls, until the rest of them is within `of_all`.
// The largest first.
std::vector<HeldCalls> TooMany(std::vector<HeldCalls> held, const CallLimits& limits);

int64_t SumOf(const std::vector<HeldCalls>& held);

}  // namespace espalier::server
