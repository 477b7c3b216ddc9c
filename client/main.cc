// espalier: the command line. It sends files to a server and prints what comes back; the server parses and
// searches.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "absl/time/clock.h"
#include "client/cli.h"
#include "client/connection.h"

namespace espalier::client {
namespace {

bool IsLong(Command command) {
  return command == Command::kTrain || command == Command::kGraft || command == Command::kCompare ||
         command == Command::kBatch || command == Command::kWatch;
}

// `interrupts` is set for long commands.
ExitCode Dispatch(Connection& connection, const CommandLine& line, InterruptWatch* interrupts) {
  switch (line.command) {
    case Command::kVerify:
      return RunVerify(connection, line.verify);
    case Command::kDescribe:
      return RunDescribe(connection, line.describe);
    case Command::kBounds:
      return RunBounds(connection, line.bounds);
    case Command::kRun:
      return RunModel(connection, line.run);
    case Command::kSupports:
      return RunSupports(connection, line.supports);
    case Command::kTrain:
      return RunTrain(connection, *interrupts, line.train);
    case Command::kGraft:
      return RunGraft(connection, *interrupts, line.graft);
    case Command::kCompare:
      return RunCompare(connection, *interrupts, line.compare);
    case Command::kSubmit:
      return RunSubmit(connection, line.submit);
    case Command::kWatch:
      return RunWatch(connection, *interrupts, line.watch);
    case Command::kCancel:
      return RunCancel(connection, line.cancel);
    case Command::kJobs:
      return RunJobs(connection, line.jobs);
    case Command::kHealth:
      return RunHealth(connection, line.health);
    case Command::kBatch:
    case Command::kNone:
      break;
  }
  return line.exit_code;
}

ExitCode Main(int argc, char** argv) {
  const absl::Time start = absl::Now();
  CommandLine line = ParseCommandLine(argc, argv);
  if (line.command == Command::kNone) return line.exit_code;
  line.verify.start = start;
  ConnectionSettings settings{.server = line.server, .credentials = line.credentials};
  if (line.command == Command::kVerify && line.verify.timeout_s) {
    settings.deadline = start + absl::Seconds(*line.verify.timeout_s);
  }
  std::optional<InterruptWatch> interrupts;
  if (IsLong(line.command)) interrupts.emplace();
  if (line.command == Command::kBatch) return RunBatch(*interrupts, line.batch);  // over servers of its own
  // First of all, so that a private server starts while this process reads the files.
  const absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(settings);
  if (!connection.ok()) {
    WriteErrorResult(line.verify.results_file);
    return ReportError(connection.status());
  }
  return Dispatch(**connection, line, interrupts ? &*interrupts : nullptr);
}

}  // namespace
}  // namespace espalier::client

int main(int argc, char** argv) {
  const int code = espalier::client::Main(argc, argv);
  std::fflush(nullptr);
  // gRPC's threads and tables need no orderly end here, and taking them down costs milliseconds.
  _exit(code);
}
