#include "server/listening_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr int kBacklog = 4096;

absl::Status Refused(const std::string& address) {
  return absl::UnavailableError(absl::StrCat("cannot listen on '", address, "': ", std::strerror(errno)));
}

int OpenSocket(int family) {
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

absl::StatusOr<int> ListenOnPath(const std::string& address, const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const int fd = OpenSocket(AF_UNIX);
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode))
    unlink(path.c_str());  // of a server that is gone
  const mode_t mask = umask(0077);
  const int bound = bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
  umask(mask);
  if (bound == 0 && listen(fd, kBacklog) == 0) return fd;
  absl::Status refused = Refused(address);
  close(fd);
  return refused;
}

absl::StatusOr<int> ListenOnPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
      error != 0)
    return absl::UnavailableError(absl::StrCat("cannot listen on '", address, "': ", gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
  const int fd = OpenSocket(found->ai_family);
  const int yes = 1, no = 0;
  // A restart must not wait for old connections; two servers on one port are still refused (no SO_REUSEPORT).
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));  // connections inherit it
  if (found->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  absl::Status refused = Refused(address);
  close(fd);
  return refused;
}

int PortOf(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(name).sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in&>(name).sin_port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ListeningSocket>> ListeningSocket::Open(const std::string& address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    ESPALIER_ASSIGN_OR_RETURN(const int fd, ListenOnPath(address, std::string(path)));
    return std::unique_ptr<ListeningSocket>(new ListeningSocket(fd, address));
  }
  ESPALIER_ASSIGN_OR_RETURN(const int fd, ListenOnPort(address));
  std::string full = absl::StrCat(address.substr(0, address.rfind(':')), ":", PortOf(fd));
  return std::unique_ptr<ListeningSocket>(new ListeningSocket(fd, std::move(full)));
}

ListeningSocket::~ListeningSocket() {
  close(fd_);
  absl::string_view path = address_;
  if (absl::ConsumePrefix(&path, "unix:")) unlink(std::string(path).c_str());
}

}  // namespace espalier::server
