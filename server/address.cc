#include "server/address.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace espalier::server {
namespace {

bool IsLoopbackHost(absl::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() != 4 || parts[0] != "127") return false;
  for (absl::string_view part : parts) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number) || number < 0 || number > 255) return false;
  }
  return true;
}

// A server that was killed while it started a worker leaves its socket open in there, for some moments.
constexpr absl::Duration kGoingPatience = absl::Seconds(2);

bool Answers(const sockaddr_un& name) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool served = connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
  close(fd);
  return served;
}

}  // namespace

absl::Status CheckListenAddress(const std::string& address, bool protected_or_allowed) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
      return absl::InvalidArgumentError(absl::StrCat("'", address, "': a socket path has 1 to ",
                                                     sizeof(sockaddr_un::sun_path) - 1, " characters"));
    }
    return absl::OkStatus();
  }
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("'", address, "': use unix:/PATH or HOST:PORT"));
  }
  if (!protected_or_allowed && !IsLoopbackHost(address.substr(0, colon))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", address,
        "' is not a loopback address, and without TLS everybody on the way could read and change "
        "what travels. Give --tls-cert and --tls-key, listen on 127.0.0.1 or a Unix socket, or add "
        "--allow-insecure"));
  }
  return absl::OkStatus();
}

absl::Status CheckNotServed(const std::string& address) {
  absl::string_view path = address;
  if (!absl::ConsumePrefix(&path, "unix:")) return absl::OkStatus();
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const absl::Time until = absl::Now() + kGoingPatience;
  while (Answers(name)) {
    if (absl::Now() >= until) {
      return absl::FailedPreconditionError(absl::StrCat("another server listens on '", address, "'"));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::OkStatus();
}

}  // namespace espalier::server
