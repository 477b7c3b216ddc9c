// The commands of the line `espalier COMMAND ...`. Each talks to the server over `connection`, prints its
// answer on stdout and everything else on stderr, and returns the exit status (exit_code.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/batch/shard.h"
#include "client/connection.h"
#include "client/exit_code.h"
#include "client/interrupt_watch.h"
#include "espalier/v1/options.pb.h"
#include "espalier/v1/training.pb.h"

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
  bool json = false;
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
  std::string device = "auto";
  bool keep_intermediate = false;
  bool plain = false;
  bool layers = false;
  bool json = false;
};
ExitCode RunBounds(Connection& connection, const BoundsArguments& arguments);

struct RunArguments {
  std::string network, input, output;
  bool float64 = false, json = false;
};
ExitCode RunModel(Connection& connection, const RunArguments& arguments);

struct SupportsArguments {
  bool operators = false, opsets = false, element_types = false, vnnlib = false, devices = false,
       options = false, train_options = false, graft_options = false, json = false;
};
ExitCode RunSupports(Connection& connection, const SupportsArguments& arguments);

// Labelled data as files; labels may be empty where the data hold them, the second pair where a part of the
// first is to be held out.
struct DataArguments {
  std::string data, labels, eval_data, eval_labels;
};

struct TrainArguments {
  std::string spec;  // an architecture, a file that holds one, or an ONNX file
  DataArguments data;
  v1::TrainOptions options;
  std::string output;
  bool no_resume = false, quiet = false, json = false;
};
ExitCode RunTrain(Connection& connection, InterruptWatch& interrupts, const TrainArguments& arguments);

struct GraftArguments {
  std::string network;
  DataArguments data;
  v1::GraftOptions graft;
  v1::TrainOptions train;
  std::vector<double> curve;
  std::string output, report;
  std::string command_line;  // for the report
  bool no_resume = false, quiet = false, json = false;
};
ExitCode RunGraft(Connection& connection, InterruptWatch& interrupts, const GraftArguments& arguments);

struct CompareArguments {
  std::string base, other;
  DataArguments data;
  v1::CompareRequest numbers;  // without files
  std::string report;
  std::string command_line;  // for the report
  bool json = false, quiet = false;
};
ExitCode RunCompare(Connection& connection, InterruptWatch& interrupts, const CompareArguments& arguments);

struct BatchArguments {
  std::string list;                  // of instances
  std::vector<std::string> servers;  // empty: private ones
  Credentials credentials;           // for them
  int jobs = 1;
  std::optional<double> timeout_s, timeout_cap_s;
  std::string results_dir;
  Shard shard;
  std::vector<std::string> collect;  // results folders of other shards
  std::string device;
  v1::Options options;
  double patience_s = 10;
  bool retry_errors = false, restart = false, json = false, quiet = false;
  std::string command_line;  // for the report
};
ExitCode RunBatch(InterruptWatch& interrupts, const BatchArguments& arguments);

// The models that a server keeps: a list, one of them, or one more or fewer.
struct ModelsArguments {
  std::string sha256;  // empty: a list
  std::string upload;  // file to add
  int limit = 100;     // of the list
  bool remove = false, json = false;
};
ExitCode RunModels(Connection& connection, const ModelsArguments& arguments);

// Whether the server takes calls, by the standard health service: what probes and health checks run.
struct HealthArguments {
  double timeout_s = 5;
  bool json = false;
};
ExitCode RunHealth(Connection& connection, const HealthArguments& arguments);

// Prints "espalier: ..." on stderr and returns the exit status for it.
ExitCode ReportError(const absl::Status& status);
ExitCode ReportError(Connection& connection, const grpc::Status& status);

// Reads `path` and puts it into `blob`; kDone, or the exit status of an error that was reported.
ExitCode SendFile(Connection& connection, const std::string& path, v1::BlobKind kind, v1::Blob& blob);

}  // namespace espalier::client
