#include "server/flood/call_limits.h"

#include <algorithm>

namespace espalier::server {

int64_t SumOf(const std::vector<HeldCalls>& held) {
  int64_t sum = 0;
  for (const HeldCalls& one : held) sum += one.calls;
  return sum;
}

std::vector<HeldCalls> TooMany(std::vector<HeldCalls> held, const CallLimits& limits) {
  std::sort(held.begin(), held.end(),
            [](const HeldCalls& a, const HeldCalls& b) { return a.calls > b.calls; });
  int64_t rest = SumOf(held);
  size_t count = 0;
  while (count < held.size() && (held[count].calls > limits.of_one || rest > limits.of_all))
    rest -= held[count++].calls;
  held.resize(count);
  return held;
}

}  // namespace espalier::server
