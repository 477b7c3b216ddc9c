// What the parts of the CPU backend share: the sticky error, the stop token and the maps' working memory. For
// several threads at once (Backend::Both).
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "verifier/backend/cpu_map.h"
#include "verifier/base/stop_token.h"

namespace espalier::backend {

// Working memory for as many products as are under way at once.
class ScratchPool {
 public:
  // body(scratch) with one that nobody else has.
  template <class Body>
  void With(Body body) {
    std::unique_ptr<CpuScratch> scratch = Take();
    body(*scratch);
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(scratch));
  }

 private:
  std::unique_ptr<CpuScratch> Take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<CpuScratch>();
    std::unique_ptr<CpuScratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<CpuScratch>> free_;
};

class CpuState {
 public:
  CpuState(int64_t thread_count, StopToken stop_token) : threads(thread_count), stop(std::move(stop_token)) {}

  const int64_t threads;
  const StopToken stop;
  ScratchPool scratch;

  // Threads for a parallel region of the calling thread: all, or its share of them.
  int64_t Team() const { return std::min<int64_t>(threads, omp_get_max_threads()); }

  // False after an error, and from the moment on when the stop token has fired: nothing more is computed.
  bool Going() {
    if (failed_.load(std::memory_order_relaxed)) return false;
    if (!stop.StopRequested()) return true;
    Note(absl::CancelledError("stopped"));
    return false;
  }
  void Note(const absl::Status& result) {
    if (result.ok()) return;
    std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = result;
    failed_.store(true, std::memory_order_relaxed);
  }
  absl::Status status() const {
    std::lock_guard lock(mutex_);
    return status_;
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

 private:
  mutable std::mutex mutex_;
  absl::Status status_;
  std::atomic<bool> failed_{false};
};

}  // namespace espalier::backend
