// How many calls each connection makes the server hold in memory, from gRPC's own accounts (channelz).
//
//   const CallAccounts accounts;                                    // after the server's start
//   if (accounts.Started() > before + 1000) for (const HeldCalls& held : accounts.Held()) ...
//
// A call is held from its first frame until the server has let go of it. One that the client has reset no
// longer counts against the calls that a connection may have open, but it is held until its turn has come to
// be cleared away; so a client that resets what it begins can make the server hold any number. A connection
// that has gone is listed until its last call is cleared away.
#pragma once

#include <cstdint>
#include <vector>

#include "server/flood/open_connections.h"

namespace espalier::server {

struct HeldCalls {
  Connection connection;
  int64_t calls = 0;
};

// Thread-safe.
class CallAccounts {
 public:
  // Of the gRPC servers that this process has by now, and as long as they live.
  CallAccounts();

  // Calls that clients have begun since the servers' start. Takes microseconds.
  int64_t Started() const;
  // One for each connection, in no order. Takes some microseconds a connection.
  std::vector<HeldCalls> Held() const;

 private:
  std::vector<intptr_t> servers_;
};

}  // namespace espalier::server
