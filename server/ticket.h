// Who makes a call, and what is logged and counted when it ends. The Gate fills it before anything else
// happens.
//
//   Ticket ticket("Evaluate", core.counters());
//   if (Failure refused = gate.Admit(*context, ticket); !refused.ok()) ...
//   ticket.End(failure, {{"sha256", digest}});
#pragma once

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/counters.h"
#include "server/errors.h"
#include "server/log.h"

namespace espalier::server {

struct Ticket {
  Ticket(const char* method_name, Counters& call_counters) : method(method_name), counters(&call_counters) {}

  // Once, when the call has its answer.
  void End(const Failure& failure, const LogFields& more = {}) const;

  const char* method;
  Counters* counters;
  std::string client;          // under this name the queue is fair, and jobs belong to it
  bool admin = false;          // may see and change what belongs to others
  std::string traceparent;     // as the caller sent it (W3C Trace Context); empty: none, or not well formed
  std::string client_version;  // that the caller said; empty: none
  absl::Time arrival = absl::Now();
};

}  // namespace espalier::server
