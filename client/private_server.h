// A server of this process's own: espalierd started on one end of a pair of connected Unix sockets.
//
// The pair has no name, so nobody else can connect, nothing stays behind in the file system, and the first
// request may be written before the server has finished starting. The kernel closes our end when this process
// ends in any way, kill -9 included, and espalierd ends when that happens.
//
//   auto server = PrivateServer::Start({"--threads", "4"});
//   grpc::CreateInsecureChannelFromFd("private", server->ReleaseSocket());
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::client {

class PrivateServer {
 public:
  // The program is ESPALIER_SERVER_BINARY, else `espalierd` beside this executable, else the one in PATH.
  // UNAVAILABLE when it cannot be started.
  static absl::StatusOr<PrivateServer> Start(const std::vector<std::string>& arguments);

  PrivateServer(PrivateServer&& other) noexcept
      : pid_(other.pid_), socket_(other.socket_), end_(std::move(other.end_)) {
    other.pid_ = other.socket_ = -1;
  }
  PrivateServer& operator=(PrivateServer&&) = delete;
  // Kills the server if it still runs.
  ~PrivateServer();

  // Our end, non-blocking; the caller owns it from now on.
  int ReleaseSocket();

  // One sentence about how the server ended, empty while it runs. Waits up to a tenth of a second for an end
  // that has begun.
  std::string DescribeEnd();

 private:
  PrivateServer(pid_t pid, int socket) : pid_(pid), socket_(socket) {}
  pid_t pid_;  // -1: it ended and was waited for, so the number may be another process's by now
  int socket_;
  std::string end_;  // how it ended
};

}  // namespace espalier::client
