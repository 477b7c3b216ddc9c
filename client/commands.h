// The commands of the line `espalier COMMAND ...`. Each talks to the server over `connection`, prints its
// answer on stdout and everything else on stderr, and returns the exit status (exit_code.h).
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/connection.h"
#include "client/exit_code.h"
#include "espalier/v1/options.pb.h"

namespace espalier::client {

struct VerifyArguments {
  std::string query;
  std::string network;
  std::optional<double> timeout_s;  // from the start of the process
  std::string results_file;
  std::string device = "auto";
  v1::Options options;
  bool explain = false;
  bool stats = false;
  bool quiet = false;
  absl::Time start;  // of the process
};
ExitCode RunVerify(Connection& connection, const VerifyArguments& arguments);

// The result file of a verification that ended with an error before it began, so that one is always there.
void WriteErrorResult(const std::string& results_file);

struct DescribeArguments {
  std::string network;
  bool json = false;
};
ExitCode RunDescribe(Connection& connection, const DescribeArguments& arguments);

struct BoundsArguments {
  std::string network;
  std::string method = "alpha-crown";
  std::string query, lower, upper;
  int box = 0;
  std::optional<int> iterations;
  int threads = 0;
  bool keep_intermediate = false;
  bool plain = false;
  bool layers = false;
  bool json = false;
};
ExitCode RunBounds(Connection& connection, const BoundsArguments& arguments);

struct RunArguments {
  std::string network, input, output;
  bool float64 = false;
};
ExitCode RunModel(Connection& connection, const RunArguments& arguments);

struct SupportsArguments {
  bool operators = false, opsets = false, element_types = false, vnnlib = false, devices = false,
       options = false;
};
ExitCode RunSupports(Connection& connection, const SupportsArguments& arguments);

// Prints "espalier: ..." on stderr and returns the exit status for it.
ExitCode ReportError(const absl::Status& status);
ExitCode ReportError(const Connection& connection, const grpc::Status& status);

// Reads `path` and puts it into `blob`; kDone, or the exit status of an error that was reported.
ExitCode SendFile(Connection& connection, const std::string& path, v1::BlobKind kind, v1::Blob& blob);

}  // namespace espalier::client
