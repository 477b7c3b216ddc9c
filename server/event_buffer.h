// What a Verify stream still has to send. A slow reader never holds up the search: progress is replaced by
// newer progress and refuted parts are merged, so that the buffer stays small whatever the reader does.
//
//   EventBuffer buffer;
//   buffer.Accept(accepted);             // nothing leaves before this
//   buffer.Push(progress);               // replaces progress that was not sent yet
//   while (auto event = buffer.Next(absl::Now())) Send(*event);
//
// Order: accepted, refuted parts, progress, result; nothing after the result. Refuted parts and progress
// leave at most every kInterval, except that the result is not kept waiting. Thread-safe.
#pragma once

#include <mutex>
#include <optional>

#include "absl/time/time.h"
#include "espalier/v1/verify.pb.h"

namespace espalier::server {

class EventBuffer {
 public:
  void Accept(v1::Accepted accepted);
  void Push(v1::Progress progress);
  void PushRefuted(int64_t index);
  void PushResult(v1::VerifyResult result);

  // The next event to send; nullopt when there is none for now.
  std::optional<v1::VerifyEvent> Next(absl::Time now);

  static constexpr absl::Duration kInterval = absl::Milliseconds(200);

 private:
  std::mutex mutex_;
  bool open_ = false;  // accepted was given
  absl::Time last_progress_ = absl::InfinitePast();
  bool done_ = false;  // the result was given out
  std::optional<v1::Accepted> accepted_;
  std::optional<v1::DisjunctsRefuted> refuted_;
  std::optional<v1::Progress> progress_;
  std::optional<v1::VerifyResult> result_;
};

}  // namespace espalier::server
