// Waiting for something that other processes do. Tests wait for events, not for moments: a machine that is
// busy with other things may be slow by any factor. kPatience only ends a test that would otherwise wait for
// ever.
//
//   ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(path); }));
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "absl/time/time.h"

namespace espalier::service_test {

inline constexpr absl::Duration kPatience = absl::Seconds(120);

// Asks again and again; false when the answer is still no after kPatience.
bool Eventually(const std::function<bool()>& condition);

// Processes that `pid` has started, by any of its threads.
std::vector<pid_t> ChildrenOf(pid_t pid);
// Whether the process is there and has not ended; a zombie has.
bool Runs(pid_t pid);

// Waits until `expected` children of `parent` have used the processor for longer than a start takes: those
// that search; the others wait. Fewer when that does not happen.
std::vector<pid_t> SearchingChildren(pid_t parent, size_t expected);

}  // namespace espalier::service_test
