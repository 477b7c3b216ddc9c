// The command line of espalier.
#pragma once

#include <string>

#include "client/commands.h"
#include "client/job_commands.h"

namespace espalier::client {

enum class Command {
  kNone,
  kVerify,
  kDescribe,
  kBounds,
  kRun,
  kSupports,
  kTrain,
  kGraft,
  kCompare,
  kBatch,
  kSubmit,
  kWatch,
  kCancel,
  kJobs,
  kModels,
  kHealth
};

struct CommandLine {
  Command command = Command::kNone;  // kNone: everything was said (help, version, name) or the line is wrong
  ExitCode exit_code = kDone;        // for kNone
  std::string server;                // empty: a private one
  Credentials credentials;           // for a named one
  VerifyArguments verify;
  DescribeArguments describe;
  BoundsArguments bounds;
  RunArguments run;
  SupportsArguments supports;
  TrainArguments train;
  GraftArguments graft;
  CompareArguments compare;
  BatchArguments batch;
  SubmitArguments submit;
  WatchArguments watch;
  CancelArguments cancel;
  JobsArguments jobs;
  ModelsArguments models;
  HealthArguments health;
};

// Prints help and usage errors itself.
CommandLine ParseCommandLine(int argc, char** argv);

}  // namespace espalier::client
