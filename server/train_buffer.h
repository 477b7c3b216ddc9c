// What a Train, Graft or Compare stream still has to send. A slow reader never holds up the work: progress is
// thinned out, and of the checkpoints that were not begun only the newest is kept.
//
//   TrainBuffer buffer;
//   buffer.Accept(accepted);              // nothing leaves before this
//   buffer.Push(progress);
//   buffer.PushCheckpoint(bytes);
//   buffer.PushResult(model, result);     // or Close() when the work failed
//   while (auto event = buffer.Next(absl::Now())) Send(*event);
//
// Progress leaves at most every kInterval, then all that has gathered: the newest of each stage and message.
// After the result or Close nothing waits, and the newest checkpoint goes before what ends the stream: a
// client that cannot store the result, or got an error, can always go on from it. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "espalier/v1/training.pb.h"

namespace espalier::server {

class TrainBuffer {
 public:
  void Accept(v1::Accepted accepted);
  void Push(v1::TrainProgress progress);
  void PushCheckpoint(std::string bytes);
  // `model` leaves in parts before `result`; empty: there is none.
  void PushResult(std::string model, v1::TrainEvent result);
  // There will be no result.
  void Close();

  // The next event to send; nullopt when there is none for now.
  std::optional<v1::TrainEvent> Next(absl::Time now);

  static constexpr absl::Duration kInterval = absl::Milliseconds(200);
  static constexpr size_t kPartBytes = size_t{1} << 20;
  static constexpr size_t kMaxWaiting = 16;  // progress events

 private:
  // A file on its way: bytes from `sent` on are still to come.
  struct Outgoing {
    std::string bytes;
    size_t sent = 0;
  };
  // The next part; empties `file` with the last one.
  static void TakePart(std::optional<Outgoing>& file, v1::FilePart& part);

  std::mutex mutex_;
  bool open_ = false;   // accepted was given
  bool ended_ = false;  // result or Close
  bool done_ = false;   // the result was given out
  absl::Time last_progress_ = absl::InfinitePast();
  std::optional<v1::Accepted> accepted_;
  std::list<v1::TrainProgress> progress_;
  std::optional<Outgoing> checkpoint_;  // begun
  std::optional<std::string> newest_;   // not begun
  std::optional<Outgoing> model_;
  std::optional<v1::TrainEvent> result_;
};

}  // namespace espalier::server
