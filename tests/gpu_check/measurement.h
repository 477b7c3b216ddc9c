// What the check of a card measures, and how: repeated until it took long enough, after one run to warm up.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "verifier/backend/backend.h"
#include "verifier/base/status.h"

namespace espalier::gpu_check {

struct Measurement {
  std::string name;             // "oval21-wide 2: backward float32"
  int64_t rows = 0;             // of the batch
  double seconds = 0;           // of one run
  double flops = 0, bytes = 0;  // of one run, as they are counted on paper; 0: not what this is about
  double limit_seconds = 0;     // the same work by cuBLAS alone, or the same bytes by copying
  double share() const { return seconds > 0 ? limit_seconds / seconds : 0; }
};

// Seconds of one run(): the mean over at least `least` seconds of queued runs, which wait() waits for.
template <class Wait, class Run>
absl::StatusOr<double> SecondsOf(double least, Wait wait, Run run) {
  run();
  ESPALIER_RETURN_IF_ERROR(wait());
  for (int64_t count = 1;; count *= 2) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < count; ++i) run();
    ESPALIER_RETURN_IF_ERROR(wait());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds >= least || count >= 1 << 20) return seconds / static_cast<double>(count);
  }
}

// A device buffer of `count` values between -1 and 1 that repeat after some thousand.
template <class T>
absl::StatusOr<backend::Buffer<T>> Noise(backend::Backend& backend, int64_t count);

}  // namespace espalier::gpu_check
