// A socket that waits for connections.
//
//   auto socket = ListeningSocket::Open("127.0.0.1:0");
//   accept4((*socket)->fd(), ...);
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace espalier::server {

class ListeningSocket {
 public:
  // "unix:/PATH", a socket for its owner only, or "HOST:PORT". Not blocking, closed by exec. UNAVAILABLE when
  // somebody listens there already or the address is not this machine's.
  static absl::StatusOr<std::unique_ptr<ListeningSocket>> Open(const std::string& address);
  // Closes it, and removes its path.
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  int fd() const { return fd_; }
  const std::string& address() const { return address_; }  // with the port that was chosen

 private:
  ListeningSocket(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}
  const int fd_;
  const std::string address_;
};

}  // namespace espalier::server
