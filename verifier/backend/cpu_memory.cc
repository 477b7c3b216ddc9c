#include "verifier/backend/cpu_memory.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace espalier::backend {

// Four classes per power of two: at most a quarter of a block is unused.
int64_t CpuMemory::SizeClass(int64_t bytes) {
  int64_t power = 256;
  while (power < bytes) power *= 2;
  const int64_t step = power / 8 > 64 ? power / 8 : 64;
  return (bytes + step - 1) / step * step;
}

CpuMemory::~CpuMemory() {
  std::lock_guard lock(mutex_);
  ReleaseRecycled();
}

void CpuMemory::ReleaseRecycled() {
  for (auto& [size, blocks] : free_) {
    for (void* block : blocks) std::free(block);
  }
  free_.clear();
  recycled_ = 0;
}

absl::StatusOr<void*> CpuMemory::Allocate(int64_t bytes) {
  const int64_t size = SizeClass(bytes);
  std::lock_guard lock(mutex_);
  auto it = free_.find(size);
  if (it != free_.end() && !it->second.empty()) {
    void* block = it->second.back();
    it->second.pop_back();
    recycled_ -= size;
    in_use_ += size;
    return block;
  }
  if (budget_ > 0 && in_use_ + recycled_ + size > budget_) ReleaseRecycled();
  if (budget_ > 0 && in_use_ + size > budget_) {
    return absl::ResourceExhaustedError(absl::StrCat("a buffer of ", size, " bytes does not fit: ", in_use_,
                                                     " of ", budget_, " bytes in use"));
  }
  void* block = std::aligned_alloc(64, static_cast<size_t>(size));
  if (block == nullptr) return absl::ResourceExhaustedError(absl::StrCat("no memory for ", size, " bytes"));
  in_use_ += size;
  return block;
}

void CpuMemory::Free(void* data, int64_t bytes) {
  const int64_t size = SizeClass(bytes);
  std::lock_guard lock(mutex_);
  free_[size].push_back(data);
  in_use_ -= size;
  recycled_ += size;
}

}  // namespace espalier::backend
