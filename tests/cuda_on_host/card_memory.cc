#include "card_memory.h"

#include <sys/mman.h>

#include <cstring>

#include "device.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) static_cast<void>(data)
#define ASAN_UNPOISON_MEMORY_REGION(data, size) static_cast<void>(data)
#endif

namespace cuda_on_host {
namespace {

constexpr size_t kReserved = size_t{1} << 36;
constexpr size_t kFence = 256;  // before the data, and at least as much behind it
constexpr int kCanary = 0xc5;
constexpr int kPoison = 0xff;

size_t BlockSize(size_t bytes) {
  return kFence + (bytes + kFence - 1) / kFence * kFence + kFence;
}

bool AllCanary(const char* from, const char* to) {
  for (; from < to; ++from) {
    if (static_cast<unsigned char>(*from) != kCanary) return false;
  }
  return true;
}

}  // namespace

CardMemory::CardMemory() {
  void* range =
      mmap(nullptr, kReserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) Abort("no addresses for the card's memory");
  base_ = static_cast<char*>(range);
}

void* CardMemory::Allocate(size_t bytes, int64_t limit) {
  if (bytes > kReserved || in_use_ + static_cast<int64_t>(bytes) > limit) return nullptr;
  const size_t size = BlockSize(bytes);
  size_t offset = used_;
  auto it = free_.begin();
  while (it != free_.end() && it->second < size) ++it;
  if (it != free_.end()) {
    offset = it->first;
    if (it->second > size) free_[offset + size] = it->second - size;
    free_.erase(offset);
  } else if (used_ + size > kReserved) {
    return nullptr;
  } else {
    used_ += size;
  }
  char* const block = base_ + offset;
  ASAN_UNPOISON_MEMORY_REGION(block, size);
  std::memset(block, kCanary, size);
  std::memset(block + kFence, kPoison, bytes);
  ASAN_POISON_MEMORY_REGION(block, kFence);
  ASAN_POISON_MEMORY_REGION(block + kFence + bytes, size - kFence - bytes);
  live_[offset + kFence] = bytes;
  in_use_ += static_cast<int64_t>(bytes);
  return block + kFence;
}

void CardMemory::Free(void* data) {
  const auto at = live_.find(static_cast<size_t>(static_cast<char*>(data) - base_));
  if (at == live_.end()) Abort("a buffer that is none was freed");
  const size_t bytes = at->second, size = BlockSize(bytes);
  char* const block = static_cast<char*>(data) - kFence;
  ASAN_UNPOISON_MEMORY_REGION(block, size);
  if (!AllCanary(block, block + kFence)) Abort("something was written before a buffer");
  if (!AllCanary(block + kFence + bytes, block + size)) Abort("something was written behind a buffer");
  std::memset(block, kPoison, size);
  ASAN_POISON_MEMORY_REGION(block, size);
  live_.erase(at);
  in_use_ -= static_cast<int64_t>(bytes);
  const auto offset = static_cast<size_t>(block - base_);
  auto here = free_.emplace(offset, size).first;
  const auto next = std::next(here);
  if (next != free_.end() && here->first + here->second == next->first) {
    here->second += next->second;
    free_.erase(next);
  }
  if (here == free_.begin()) return;
  const auto before = std::prev(here);
  if (before->first + before->second != here->first) return;
  before->second += here->second;
  free_.erase(here);
}

bool CardMemory::Contains(const void* data, size_t bytes) const {
  if (bytes == 0) return true;
  const char* const at = static_cast<const char*>(data);
  if (at < base_ || at >= base_ + used_) return false;
  const auto offset = static_cast<size_t>(at - base_);
  auto block = live_.upper_bound(offset);
  if (block == live_.begin()) return false;
  --block;
  return offset + bytes <= block->first + block->second;
}

void CardMemory::SetOpen(bool open) {
  if (open == open_) return;
  open_ = open;
  if (used_ == 0) return;
  const size_t page = 4096, whole = (used_ + page - 1) / page * page;
  if (mprotect(base_, whole, open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) Abort("mprotect failed");
}

}  // namespace cuda_on_host
