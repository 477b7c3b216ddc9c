#include "server/connection_acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/time/clock.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(50);  // when there is no room for a connection

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionAcceptor>> ConnectionAcceptor::Listen(const std::string& address) {
  ESPALIER_ASSIGN_OR_RETURN(std::unique_ptr<ListeningSocket> socket, ListeningSocket::Open(address));
  return std::unique_ptr<ConnectionAcceptor>(new ConnectionAcceptor(std::move(socket)));
}

void ConnectionAcceptor::Start(std::unique_ptr<Sink> sink) {
  sink_ = std::move(sink);
  wake_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { Accept(); });
}

void ConnectionAcceptor::Accept() {
  std::array<pollfd, 2> waiting{
      {{.fd = socket_->fd(), .events = POLLIN, .revents = 0}, {.fd = wake_, .events = POLLIN, .revents = 0}}};
  while (true) {
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) absl::SleepFor(kPause);
    if (waiting[1].revents != 0) return;
    if (paused_) {
      absl::SleepFor(kPause);
      continue;
    }
    const int connection = accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0) {
      HandOver(connection);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      absl::SleepFor(kPause);
    }
  }
}

// The system gives out the lowest free number, so a high one says how many are in use.
void ConnectionAcceptor::HandOver(int connection) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (static_cast<rlim_t>(connection) + kReservedFiles >= limit.rlim_cur) {
    close(connection);
    return;
  }
  Sink::NewConnectionParameters parameters;
  parameters.listener_fd = socket_->fd();
  parameters.fd = connection;
  sink_->HandleNewConnection(&parameters);
}

void ConnectionAcceptor::Close() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    if (write(wake_, &one, sizeof(one)) == sizeof(one)) thread_.join();
    close(wake_);
  }
  socket_.reset();
}

}  // namespace espalier::server
