// Exit statuses of the command line; scripts rely on them.
#pragma once

#include <grpcpp/support/status.h>

namespace espalier::client {

enum ExitCode : int {
  kDone = 0,           // the command's answer was printed; for verify: a verdict, whichever it is
  kInternal = 1,       // a fault of the server or the client
  kUsage = 2,          // wrong command line
  kBadInput = 3,       // a file or an option's value is wrong
  kUnsupported = 4,    // the model holds something that cannot be verified
  kUnreachable = 5,    // no server, or it went away
  kBusy = 6,           // the server's queue, memory or quota is full
  kSomeFailed = 7,     // batch: every instance was run, and at least one ended with an error
  kDenied = 8,         // the server does not know the caller, or does not let it do this
  kInterrupted = 130,  // Ctrl-C or SIGTERM; what a shell reports for it
};

ExitCode ExitCodeOf(const grpc::Status& status);

// For --help.
extern const char kExitCodeHelp[];

}  // namespace espalier::client
