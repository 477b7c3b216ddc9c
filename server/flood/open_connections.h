// The TCP connections of this process, whoever opened them, and a way to hang up on one.
//
//   const OpenConnections open;
//   if (open.Has(connection)) open.HangUp(connection);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace espalier::server {

// Its two ends, as AddressText writes them.
struct Connection {
  std::string local, remote;
  bool operator<(const Connection& other) const {
    return std::pair(remote, local) < std::pair(other.remote, other.local);
  }
  bool operator==(const Connection& other) const { return remote == other.remote && local == other.local; }
};

// "127.0.0.1:50551" or "[::1]:50551". `host`: an in_addr or in6_addr; an IPv4 address that is written as an
// IPv6 one is shown as what it is.
std::string AddressText(int family, const void* host, int port);

// As of its construction, from /proc. Not to be used by several threads.
class OpenConnections {
 public:
  OpenConnections();

  bool Has(const Connection& connection) const { return files_.count(connection) != 0; }
  // At once: what has arrived and has not been read yet is thrown away. The file descriptor stays its
  // owner's, who finds that the connection has been reset. False when it has gone meanwhile.
  bool HangUp(const Connection& connection) const;

 private:
  std::map<Connection, int> files_;
};

}  // namespace espalier::server
