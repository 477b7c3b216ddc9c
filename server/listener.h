// A server that others reach: the gRPC port with health and reflection, the HTTP port of operators, and the
// signals. SIGTERM and SIGINT drain and end it, SIGHUP reads the token file again.
//
//   const sigset_t signals = Listener::BlockSignals();   // before any thread is started
//   return Listener(flags, core, jobs).Run(signals);
#pragma once

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/connection_acceptor.h"
#include "server/core.h"
#include "server/flags.h"
#include "server/flood/flood_guard.h"
#include "server/http/http_server.h"
#include "server/jobs/job_runner.h"
#include "server/security/gate.h"

namespace espalier::server {

class Listener {
 public:
  // `jobs` is null in a server without a data directory. All of them outlive it.
  Listener(const Flags& flags, Core& core, JobRunner* jobs) : flags_(flags), core_(core), jobs_(jobs) {}

  // Of this thread and those that it starts from here on.
  static sigset_t BlockSignals();

  // Serves until a signal ends it. Returns the process's exit status.
  int Run(const sigset_t& signals);

 private:
  absl::Status Open();
  absl::Status OpenHttp();
  void Announce() const;
  void ReadTokensAgain();
  void Drain();

  const Flags& flags_;
  Core& core_;
  JobRunner* const jobs_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<FloodGuard> flood_guard_;  // null when only a Unix socket's owner can connect
};

// What a server of any kind sets.
void SetMessageLimits(grpc::ServerBuilder& builder);

// Logs why the server cannot start, and returns `exit_status`.
int FailToStart(const absl::Status& status, int exit_status);

}  // namespace espalier::server
