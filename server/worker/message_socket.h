// Protobuf messages over a connected stream socket, each after its length in four bytes (little-endian).
//
//   MessageSocket socket(fd);            // owns fd
//   socket.Send(message);                // false: the other side has gone
//   switch (socket.Receive(message, absl::Milliseconds(10))) ...
//
// One thread sends and one receives at a time.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace espalier::server {

class MessageSocket {
 public:
  enum class Received { kMessage, kNothingYet, kClosed };

  explicit MessageSocket(int fd) : fd_(fd) {}
  ~MessageSocket();
  MessageSocket(const MessageSocket&) = delete;
  MessageSocket& operator=(const MessageSocket&) = delete;

  bool Send(const google::protobuf::MessageLite& message);

  // Waits at most `wait` for a message to begin; then reads it whole. kClosed also for bytes that are no such
  // message, and for one longer than kMaxBytes.
  Received Receive(google::protobuf::MessageLite& message, absl::Duration wait);

  static constexpr uint32_t kMaxBytes = uint32_t{1} << 30;

 private:
  bool ReadAll(char* bytes, size_t size) const;

  const int fd_;
  std::string buffer_;
};

}  // namespace espalier::server
