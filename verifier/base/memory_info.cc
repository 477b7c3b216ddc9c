#include "verifier/base/memory_info.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace espalier::base {
namespace {

std::optional<int64_t> FirstNumber(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

std::optional<int64_t> MachineAvailable() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  while (file >> key) {
    int64_t kibibytes = 0;
    if (key == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, key);
  }
  return std::nullopt;
}

}  // namespace

int64_t FreeMemoryBytes() {
  int64_t available = MachineAvailable().value_or(int64_t{4} << 30);
  const auto limit = FirstNumber("/sys/fs/cgroup/memory.max");  // "max" when there is none
  const auto used = FirstNumber("/sys/fs/cgroup/memory.current");
  if (limit.has_value() && used.has_value()) available = std::min(available, *limit - *used);
  return std::max<int64_t>(available, int64_t{64} << 20);
}

}  // namespace espalier::base
