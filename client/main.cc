// espalier: the command line. It sends files to a server and prints what comes back; the server parses and
// searches.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cli.h"
#include "client/connection.h"
#include "client/server_choice.h"

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
    case Command::kModels:
      return RunModels(connection, line.models);
    case Command::kHealth:
      return RunHealth(connection, line.health);
    case Command::kBatch:
    case Command::kNone:
      break;
  }
  return line.exit_code;
}

// The number of the job that the command is about; empty: none.
std::string JobOf(const CommandLine& line) {
  if (line.command == Command::kWatch) return line.watch.job_id;
  if (line.command == Command::kCancel) return line.cancel.job_id;
  return line.command == Command::kJobs ? line.jobs.job_id : "";
}

absl::StatusOr<std::unique_ptr<Connection>> Open(const CommandLine& line,
                                                 const std::vector<std::string>& servers,
                                                 const ConnectionSettings& settings) {
  if (servers.empty()) return Connection::Open(settings);
  const std::string job = JobOf(line);
  return job.empty() ? OpenLeastLoaded(servers, settings) : OpenOwner(servers, settings, job);
}

// Whether the command is about each of several servers by itself: what it has, or a model that all may have.
bool IsForEach(const CommandLine& line) {
  return (line.command == Command::kJobs && line.jobs.job_id.empty()) || line.command == Command::kModels;
}

// What each server says, under its name. The first error is the command's, after the others have been shown.
ExitCode AskEach(const CommandLine& line, const std::vector<std::string>& servers,
                 ConnectionSettings settings) {
  ExitCode first = kDone;
  for (const std::string& server : servers) {
    settings.server = server;
    const absl::StatusOr<std::unique_ptr<Connection>> connection = Connection::Open(settings);
    if (!line.jobs.json && !line.models.json) std::printf("%s\n", server.c_str());
    std::fflush(stdout);
    const ExitCode code =
        connection.ok() ? Dispatch(**connection, line, nullptr) : ReportError(connection.status());
    if (first == kDone) first = code;
  }
  return first;
}

// Files of networks below this have no products that are worth preparing for.
constexpr uintmax_t kLargeModel = uintmax_t{1} << 18;

bool HasLargeModel(const CommandLine& line) {
  if (line.command != Command::kVerify) return false;
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(line.verify.network, error);
  return !error && bytes >= kLargeModel;
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
  if (HasLargeModel(line)) settings.private_flags.emplace_back("--prepare");
  std::optional<InterruptWatch> interrupts;
  if (IsLong(line.command)) interrupts.emplace();
  if (line.command == Command::kBatch) return RunBatch(*interrupts, line.batch);  // over servers of its own
  const std::vector<std::string> servers = absl::StrSplit(line.server, ',', absl::SkipEmpty());
  if (servers.size() > 1 && line.command == Command::kHealth) {
    std::fputs("espalier: health asks one server\n", stderr);
    return kUsage;
  }
  if (servers.size() > 1 && IsForEach(line)) return AskEach(line, servers, settings);
  // First of all, so that a private server starts while this process reads the files.
  const absl::StatusOr<std::unique_ptr<Connection>> connection = Open(line, servers, settings);
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
