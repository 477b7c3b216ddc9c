// Worker processes, kept warm: a run takes an idle one, or starts one when there is none, and gives it back.
//
//   WorkerPool pool({"--log-level", "warn"}, /*idle=*/2);
//   auto worker = pool.Take(model_sha256);
//   ...
//   pool.Return(*std::move(worker), resident_bytes);    // or Discard: it is killed, and another one takes
//   its place
//
// Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "server/worker/worker_process.h"

namespace espalier::server {

class WorkerPool {
 public:
  // Keeps `idle` processes ready; starts them in the background.
  WorkerPool(std::vector<std::string> arguments, int idle);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // One that has run `model` before, if there is one idle; else the longest idle; else a fresh one.
  // UNAVAILABLE.
  absl::StatusOr<std::unique_ptr<WorkerProcess>> Take(const std::string& model);

  // One that holds too much memory while idle is ended instead of kept.
  void Return(std::unique_ptr<WorkerProcess> worker, int64_t resident_bytes);

  // One that is of no use any more. What Take gave ends up here or in Return.
  void Discard(std::unique_ptr<WorkerProcess> worker);

  static constexpr int64_t kMaxIdleBytes = int64_t{1} << 30;

 private:
  void Replenish();

  const std::vector<std::string> arguments_;
  const size_t wanted_;
  std::mutex mutex_;
  std::condition_variable fewer_;
  bool stopping_ = false;
  size_t taken_ = 0;  // given out, not returned: each of them comes back or is replaced
  std::list<std::unique_ptr<WorkerProcess>> idle_;  // longest idle first
  std::thread starter_;
};

}  // namespace espalier::server
