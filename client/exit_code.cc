#include "client/exit_code.h"

namespace espalier::client {

ExitCode ExitCodeOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return kDone;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED:  // training diverged with these options
      return kBadInput;
    case grpc::StatusCode::UNIMPLEMENTED:
      return kUnsupported;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:  // not by us, who end with 130: the server is shutting down
      return kUnreachable;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return kDenied;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return kBusy;
    default:
      return kInternal;
  }
}

const char kExitCodeHelp[] =
    "Exit status: 0 the answer was printed (for verify: a verdict, whichever it is), 1 internal error, 2 "
    "wrong command line, 3 wrong input, 4 model not supported, 5 server not reachable, 6 server busy or out "
    "of memory, 7 batch: some instances ended with an error, 8 not allowed by the server, 130 interrupted.";

}  // namespace espalier::client
