// How much memory this process may still use.
#pragma once

#include <cstdint>

namespace espalier::base {

// Bytes available to new allocations: the machine's (MemAvailable), or what the control group still allows
// when that is less. 4 GiB when neither can be read.
int64_t FreeMemoryBytes();

}  // namespace espalier::base
