// Memory of the CPU backend: 64-byte aligned blocks in size classes, recycled instead of returned to the
// system, so that a bound pass in steady state neither calls malloc nor touches fresh pages. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::backend {

class CpuMemory {
 public:
  explicit CpuMemory(int64_t budget_bytes) : budget_(budget_bytes) {}
  ~CpuMemory();
  CpuMemory(const CpuMemory&) = delete;
  CpuMemory& operator=(const CpuMemory&) = delete;

  // RESOURCE_EXHAUSTED when the budget (0: none) or the system has no room, after recycled blocks were given
  // back.
  absl::StatusOr<void*> Allocate(int64_t bytes);
  void Free(void* data, int64_t bytes);
  int64_t in_use() const {
    std::lock_guard lock(mutex_);
    return in_use_;
  }

 private:
  static int64_t SizeClass(int64_t bytes);
  void ReleaseRecycled();  // with the lock held

  const int64_t budget_;
  mutable std::mutex mutex_;
  int64_t in_use_ = 0;    // handed out
  int64_t recycled_ = 0;  // kept for reuse
  std::map<int64_t, std::vector<void*>> free_;
};

}  // namespace espalier::backend
