// The commands on jobs of a server that keeps them: submit, watch, cancel, jobs.
#pragma once

#include <string>

#include "client/commands.h"

namespace espalier::client {

struct SubmitArguments {
  VerifyArguments verify;  // what is to be verified; output and result file are not used
  std::string request_id;  // empty: one is made up, for this command's own retries
  std::string label;
  std::string continue_job;  // that ended without an answer; query and network are its own where not given
  bool json = false;
};
// Prints the job's number. Tries again when the server goes away in the middle: no job is made twice.
ExitCode RunSubmit(Connection& connection, const SubmitArguments& arguments);

struct WatchArguments {
  std::string job_id;
  int64_t from = 0;         // number of the first event; 0: all
  double patience_s = 300;  // how long to try again when the server is away
  bool json = false, quiet = false;
};
// Prints the answer as `verify` does, or `cancelled`. Goes on where it was when the server goes away and
// comes back.
ExitCode RunWatch(Connection& connection, InterruptWatch& interrupts, const WatchArguments& arguments);

struct CancelArguments {
  std::string job_id;
  bool json = false;
};
ExitCode RunCancel(Connection& connection, const CancelArguments& arguments);

struct JobsArguments {
  std::string job_id;  // empty: a list
  std::string state;   // of the list; empty: all
  int limit = 100;     // of the list
  bool remove = false;
  bool json = false;
};
ExitCode RunJobs(Connection& connection, const JobsArguments& arguments);

}  // namespace espalier::client
