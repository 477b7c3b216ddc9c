// What this process holds in memory, from /proc.
#pragma once

#include <cstdint>

namespace espalier::server {

// The peak counts from now on.
void ResetPeakMemory();

struct ProcessMemory {
  int64_t peak_bytes = 0;  // since ResetPeakMemory; 0: not known
  int64_t resident_bytes = 0;
};
ProcessMemory ReadProcessMemory();

// Asks the system to kill this process before others when memory runs out. Nothing happens where that is not
// allowed.
void OfferToOutOfMemoryKiller();

}  // namespace espalier::server
