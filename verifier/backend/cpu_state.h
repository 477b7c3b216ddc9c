// What the parts of the CPU backend share: the sticky error, the stop token and the maps' working memory.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "verifier/backend/cpu_map.h"
#include "verifier/base/stop_token.h"

namespace espalier::backend {

struct CpuState {
  absl::Status status;
  CpuScratch scratch;
  int64_t threads = 1;
  StopToken stop;

  // False after an error, and from the moment on when the stop token has fired: nothing more is computed.
  bool Going() {
    if (status.ok() && stop.StopRequested()) status = absl::CancelledError("stopped");
    return status.ok();
  }
  void Note(absl::Status result) {
    if (status.ok()) status = std::move(result);
  }

  // body(r) for every row, in parallel when there is enough work to pay for waking the threads.
  template <class Body>
  void ForRows(int64_t rows, int64_t work_per_row, Body body) {
    if (!Going()) return;
    if (rows * work_per_row < 1 << 15) {
      for (int64_t r = 0; r < rows; ++r) body(r);
      return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) body(r);
  }

  // body(first, size) for pieces that cover `count` elements, as ForRows.
  template <class Body>
  void ForPieces(int64_t count, Body body) {
    constexpr int64_t kPiece = 1 << 14;
    ForRows((count + kPiece - 1) / kPiece, kPiece,
            [&](int64_t p) { body(p * kPiece, std::min(kPiece, count - p * kPiece)); });
  }
};

}  // namespace espalier::backend
