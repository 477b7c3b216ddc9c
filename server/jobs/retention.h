// Forgets old jobs, so that a server that runs for years keeps a disk of bounded size.
//
//   Retention retention(*database, {.jobs = 10000, .seconds = 30 * 86400});   // looks now and every few
//   seconds
//
// Only jobs that have ended are deleted, those that ended first before the others, with their events, results
// and witnesses; what waits or runs stays however old it is. They go in small batches, so that a call on jobs
// waits for one batch at most. Space in the file that is free, whoever deleted what was there, is given back
// to the system.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "server/jobs/database.h"

namespace espalier::server {

struct RetentionLimits {
  int64_t jobs = 0;    // that have ended and are kept; 0: all
  double seconds = 0;  // since its end that a job is kept; 0: for ever
};

class Retention {
 public:
  // Starts the thread. `database` outlives it.
  Retention(Database& database, const RetentionLimits& limits);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;

  static constexpr int64_t kBatch = 100;

  // One batch, as of `now_s` (seconds since 1970): how many jobs were deleted; fewer than kBatch: no more
  // have to go.
  static absl::StatusOr<int64_t> Sweep(Database& database, const RetentionLimits& limits, double now_s);
  // Gives some free space of the file back. Whether there may be more.
  static absl::StatusOr<bool> Shrink(Database& database);

 private:
  void Work();
  bool Wait(double seconds);

  Database& database_;
  const RetentionLimits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace espalier::server
