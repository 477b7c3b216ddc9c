#include "server/worker/process_memory.h"

#include <fstream>
#include <string>

namespace espalier::server {

void ResetPeakMemory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

ProcessMemory ReadProcessMemory() {
  ProcessMemory memory;
  std::ifstream file("/proc/self/status");
  std::string key;
  while (file >> key) {
    int64_t kibibytes = 0;
    if (key == "VmHWM:" && file >> kibibytes) memory.peak_bytes = kibibytes * 1024;
    if (key == "VmRSS:" && file >> kibibytes) memory.resident_bytes = kibibytes * 1024;
    file.ignore(1000, '\n');
  }
  return memory;
}

void OfferToOutOfMemoryKiller() {
  std::ofstream("/proc/self/oom_score_adj") << "500";
}

}  // namespace espalier::server
