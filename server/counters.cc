#include "server/counters.h"

#include <algorithm>

namespace espalier::server {

void Counters::CountCall(const std::string& method, absl::StatusCode code, absl::Duration length) {
  const double seconds = absl::ToDoubleSeconds(length);
  const auto bucket = static_cast<size_t>(std::lower_bound(kBucketEnds.begin(), kBucketEnds.end(), seconds) -
                                          kBucketEnds.begin());
  std::lock_guard<std::mutex> lock(mutex_);
  ++counted_.calls[{method, absl::StatusCodeToString(code)}];
  Durations& durations = counted_.durations[method];
  ++durations.buckets[bucket];
  ++durations.calls;
  durations.seconds += seconds;
}

void Counters::CountAnswer(const std::string& answer) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++counted_.answers[answer];
}

void Counters::CountJob(const std::string& end) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++counted_.jobs[end];
}

void Counters::CountUpload(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  counted_.uploaded_bytes += bytes;
}

void Counters::CountDeadWorker() {
  std::lock_guard<std::mutex> lock(mutex_);
  ++counted_.workers_died;
}

void Counters::CountHangUps(int64_t connections) {
  std::lock_guard<std::mutex> lock(mutex_);
  counted_.hang_ups += connections;
}

Counters::Snapshot Counters::Read() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return counted_;
}

}  // namespace espalier::server
