// Settings of espalierd. Each has one name in three places; what comes first here wins:
//
//   --max-queue 10             on the command line
//   ESPALIERD_MAX_QUEUE=10     in the environment
//   max-queue=10               in the file that --config names
#pragma once

#include <optional>
#include <string>

#include "server/core.h"
#include "server/jobs/retention.h"
#include "server/log.h"
#include "server/security/tls.h"

namespace espalier::server {

struct Flags {
  std::string listen = "127.0.0.1:50551";
  bool allow_insecure = false;  // listen off loopback without TLS
  TlsFiles tls;
  std::string token_file;    // empty: no tokens
  std::string http_address;  // of health and metrics pages; empty: none
  bool web = false;          // pages on jobs as well
  int parent_fd = -1;        // >= 0: serve the one connection on this inherited socket and end with it
  bool prepare = false;      // get ready for a large model while starting
  bool worker = false;       // run calls for the server behind parent_fd
  std::string data_dir;      // empty: no jobs, blobs in memory
  RetentionLimits keep;      // of jobs that have ended
  bool isolate = true;       // of a server that listens: verify in worker processes
  double drain_s = 10;
  std::string log_level = "info";
  LogFormat log_format = LogFormat::kText;
  Limits limits;
};

// Fills `flags`. Returns an exit status when the process is to end now (help, version, settings printed,
// usage error). A private server and a worker read their command line alone.
std::optional<int> ParseFlags(int argc, char** argv, Flags& flags);

}  // namespace espalier::server
