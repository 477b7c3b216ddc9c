// Many rows in blocks that memory has room for.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "verifier/backend/backend.h"
#include "verifier/base/status.h"
#include "verifier/base/stop_token.h"

namespace espalier::bounds {

// How often a block of rows was halved, in the run's statistics.
inline constexpr char kRowsHalved[] = "rows_halved";

// body(begin, end) for one block of `count` rows after another, `block` of them at a time, until `stop`
// fires. A block that does not fit in memory is begun again at half its size, as is all that follows, down to
// single rows: a body that fails must leave nothing behind, buffers least of all.
template <class Body>
absl::Status InBlocks(backend::Backend& backend, int64_t count, int64_t block, const StopToken& stop,
                      Body body) {
  for (int64_t begin = 0; begin < count && !stop.StopRequested();) {
    const int64_t end = std::min(begin + std::max<int64_t>(block, 1), count);
    const absl::Status done = body(begin, end);
    if (absl::IsResourceExhausted(done) && end - begin > 1) {
      block = (end - begin) / 2;
      backend.NoteShortage(kRowsHalved);
      continue;
    }
    ESPALIER_RETURN_IF_ERROR(done);
    begin = end;
  }
  return absl::OkStatus();
}

}  // namespace espalier::bounds
