// Hangs up on clients that make the server hold too many calls.
//
// HTTP/2 lets a client begin a call and reset it in one breath ("rapid reset", CVE-2023-44487). Such a call
// no longer counts as open, but gRPC 1.51 holds some ten kilobytes for it until a thread has come to clear it
// away, and it reads calls faster than it clears them: without a guard a few connections fill any memory.
//
//   FloodGuard guard({.of_one = 2048, .of_all = 16384}, acceptor, counters);   // after the server's start
//
// A connection that makes the server hold more calls than one may is hung up on; and while all together make
// it hold too many, those with the most. To clear away what connections leave behind that have gone takes its
// time: while there is much of it, nobody new is let in. Those who may open a Unix socket are trusted; there
// is nothing to tell them apart by.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "server/connection_acceptor.h"
#include "server/counters.h"
#include "server/flood/call_limits.h"
#include "server/flood/held_calls.h"
#include "server/flood/open_connections.h"

namespace espalier::server {

class FloodGuard {
 public:
  // Starts the thread. The other objects outlive it.
  FloodGuard(const CallLimits& limits, ConnectionAcceptor& acceptor, Counters& counters);
  ~FloodGuard();
  FloodGuard(const FloodGuard&) = delete;
  FloodGuard& operator=(const FloodGuard&) = delete;

 private:
  void Watch();
  bool Wait(absl::Duration pause);  // false: the end
  // Whether it has to look again soon.
  bool Look();
  void HangUp(const OpenConnections& open, const std::vector<HeldCalls>& held, int64_t sum);

  const CallLimits limits_;
  ConnectionAcceptor& acceptor_;
  Counters& counters_;
  const CallAccounts accounts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace espalier::server
