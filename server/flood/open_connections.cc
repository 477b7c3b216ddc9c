#include "server/flood/open_connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

// Empty for anything but an address of IPv4 or IPv6.
std::string TextOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    return AddressText(AF_INET, &ip.sin_addr, ntohs(ip.sin_port));
  }
  if (address.ss_family != AF_INET6) return "";
  const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
  return AddressText(AF_INET6, &ip.sin6_addr, ntohs(ip.sin6_port));
}

// Nothing when the file is no connected TCP socket.
std::optional<Connection> ConnectionOf(int file) {
  sockaddr_storage local{}, remote{};
  socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
  if (getpeername(file, reinterpret_cast<sockaddr*>(&remote), &remote_size) != 0) return std::nullopt;
  if (getsockname(file, reinterpret_cast<sockaddr*>(&local), &local_size) != 0) return std::nullopt;
  Connection connection{.local = TextOf(local), .remote = TextOf(remote)};
  if (connection.remote.empty()) return std::nullopt;
  return connection;
}

}  // namespace

std::string AddressText(int family, const void* host, int port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto* bytes = static_cast<const uint8_t*>(host);
  if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(static_cast<const in6_addr*>(host))) {
    family = AF_INET;
    bytes += sizeof(in6_addr) - sizeof(in_addr);
  }
  if (inet_ntop(family, bytes, text.data(), text.size()) == nullptr) return "";
  if (family == AF_INET) return absl::StrCat(text.data(), ":", port);
  return absl::StrCat("[", text.data(), "]:", port);
}

OpenConnections::OpenConnections() {
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    int file = -1;
    if (!absl::SimpleAtoi(it->path().filename().string(), &file)) continue;
    if (const auto connection = ConnectionOf(file)) files_.emplace(*connection, file);
  }
}

bool OpenConnections::HangUp(const Connection& connection) const {
  const auto found = files_.find(connection);
  if (found == files_.end()) return false;
  // The owner may close the file at any moment, and its number may be given to another one: what is asked and
  // hung up on is a copy, which stays what it is.
  const int copy = fcntl(found->second, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  bool done = false;
  if (ConnectionOf(copy) == connection) {
    // shutdown() would leave what has arrived to be read; this throws it away.
    const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
    done = connect(copy, &nobody, sizeof(nobody)) == 0;
  }
  close(copy);
  return done;
}

}  // namespace espalier::server
