#include "server/memory_limit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

constexpr int64_t kLeastBudget = int64_t{32} << 20;  // with less, a run is not worth starting

}  // namespace

Failure LimitMemory(const Limits& limits, int64_t fixed, const std::string& what, int64_t& budget) {
  if (fixed + kLeastBudget > limits.memory_total) {
    return {absl::ResourceExhaustedError(absl::StrCat(what, " needs about ", fixed + kLeastBudget,
                                                      " bytes of memory; this server may use ",
                                                      limits.memory_total, " for all that it runs")),
            {.reason = "NOT_ENOUGH_MEMORY", .field = "model"}};
  }
  // Nobody said: an even share, or what the files leave.
  if (budget == 0) budget = std::max(limits.memory_total / limits.concurrency - fixed, kLeastBudget);
  budget = std::min(budget, limits.memory_total - fixed);
  return {};
}

}  // namespace espalier::server
