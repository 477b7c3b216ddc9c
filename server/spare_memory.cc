#include "server/spare_memory.h"

#include <malloc.h>

namespace espalier::server {
namespace {

// Less than this is used again soon, and getting it from the system again would cost more than it is worth.
constexpr size_t kKept = size_t{32} << 20;

}  // namespace

void GiveBackSpareMemory() {
  if (mallinfo2().fordblks > kKept) malloc_trim(0);
}

}  // namespace espalier::server
