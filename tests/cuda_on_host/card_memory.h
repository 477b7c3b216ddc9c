// Memory of the simulated card: one range of addresses, from which buffers are cut with canaries around them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace cuda_on_host {

class CardMemory {
 public:
  CardMemory();
  // Null when `limit` bytes would be exceeded. Poisoned with 0xff.
  void* Allocate(size_t bytes, int64_t limit);
  // Ends the process when a canary was overwritten or the address is not that of a live buffer.
  void Free(void* data);
  bool Contains(const void* data, size_t bytes) const;
  int64_t in_use() const { return in_use_; }

  // Opens or closes all of it to reads and writes.
  void SetOpen(bool open);

 private:
  char* base_ = nullptr;
  size_t used_ = 0;  // end of the highest block so far
  bool open_ = true;
  int64_t in_use_ = 0;
  std::map<size_t, size_t> live_;  // offset of the data -> bytes
  std::map<size_t, size_t> free_;  // offset of the block -> its size
};

}  // namespace cuda_on_host
