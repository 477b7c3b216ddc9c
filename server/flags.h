// Command line of espalierd.
#pragma once

#include <optional>
#include <string>

#include "server/core.h"

namespace espalier::server {

struct Flags {
  std::string listen = "127.0.0.1:50551";
  bool listen_anywhere = false;
  int parent_fd = -1;    // >= 0: serve the one connection on this inherited socket and end with it
  bool worker = false;   // run calls for the server behind parent_fd
  std::string data_dir;  // empty: no jobs, blobs in memory
  bool isolate = true;   // of a server that listens: verify in worker processes
  double drain_s = 10;
  std::string log_level = "info";
  Limits limits;
};

// Fills `flags`. Returns an exit status when the process is to end now (help, version, usage error).
std::optional<int> ParseFlags(int argc, char** argv, Flags& flags);

}  // namespace espalier::server
