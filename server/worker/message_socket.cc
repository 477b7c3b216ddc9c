#include "server/worker/message_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace espalier::server {
namespace {

constexpr size_t kLengthBytes = 4;
constexpr size_t kKeptBuffer = size_t{1} << 20;

}  // namespace

MessageSocket::~MessageSocket() {
  close(fd_);
}

bool MessageSocket::Send(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  if (size > kMaxBytes) return false;
  std::string bytes;
  bytes.reserve(kLengthBytes + size);
  for (size_t i = 0; i < kLengthBytes; ++i) bytes.push_back(static_cast<char>((size >> (8 * i)) & 0xFFU));
  if (!message.AppendToString(&bytes)) return false;
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

bool MessageSocket::ReadAll(char* bytes, size_t size) const {
  while (size > 0) {
    const ssize_t n = recv(fd_, bytes, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

MessageSocket::Received MessageSocket::Receive(google::protobuf::MessageLite& message, absl::Duration wait) {
  pollfd request{fd_, POLLIN, 0};
  const int limit_ms =
      wait == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(wait));
  const int ready = poll(&request, 1, limit_ms);
  if (ready == 0 || (ready < 0 && errno == EINTR)) return Received::kNothingYet;
  if (ready < 0) return Received::kClosed;
  std::array<unsigned char, kLengthBytes> length{};
  if (!ReadAll(reinterpret_cast<char*>(length.data()), length.size())) return Received::kClosed;
  uint32_t size = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) size |= static_cast<uint32_t>(length[i]) << (8 * i);
  if (size > kMaxBytes) return Received::kClosed;
  buffer_.resize(size);
  const bool whole = ReadAll(buffer_.data(), size) && message.ParseFromString(buffer_);
  if (buffer_.size() > kKeptBuffer) std::string().swap(buffer_);
  return whole ? Received::kMessage : Received::kClosed;
}

}  // namespace espalier::server
