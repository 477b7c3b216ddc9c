// What a server has done since its start, counted: the source of /metrics and of tests.
//
//   counters.CountCall("Verify", absl::StatusCode::kOk, absl::Milliseconds(3));
//   const Counters::Snapshot now = counters.Read();
//
// Thread-safe. Nothing here names a client, a model or a file.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace espalier::server {

class Counters {
 public:
  // Upper ends of the duration buckets, seconds; the last bucket has none.
  static constexpr std::array<double, 10> kBucketEnds = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300};

  struct Durations {
    std::array<int64_t, kBucketEnds.size() + 1> buckets{};  // each call in one of them
    double seconds = 0;                                     // sum
    int64_t calls = 0;
  };
  struct Snapshot {
    std::map<std::pair<std::string, std::string>, int64_t> calls;  // (method, code)
    std::map<std::string, Durations> durations;                    // by method
    std::map<std::string, int64_t> answers;                        // "sat", "unsat", "unknown"
    std::map<std::string, int64_t> jobs;  // ended ones: "done", "failed", "cancelled"
    int64_t uploaded_bytes = 0;
    int64_t workers_died = 0;
    int64_t hang_ups = 0;  // on connections that made the server hold too many calls
  };

  void CountCall(const std::string& method, absl::StatusCode code, absl::Duration length);
  void CountAnswer(const std::string& answer);
  void CountJob(const std::string& end);
  void CountUpload(int64_t bytes);
  void CountDeadWorker();
  void CountHangUps(int64_t connections);

  Snapshot Read() const;

 private:
  mutable std::mutex mutex_;
  Snapshot counted_;
};

}  // namespace espalier::server
