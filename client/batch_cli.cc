#include "client/batch_cli.h"

namespace espalier::client {

void AddBatch(CLI::App& command, BatchArguments& batch) {
  command.add_option("instances", batch.list, "lines MODEL,QUERY,TIMEOUT; paths against the file's folder")
      ->required();
  command
      .add_option("--jobs", batch.jobs,
                  "instances at a time on each server; without --server: private servers at a time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--timeout", batch.timeout_s, "seconds for each instance, instead of the file's")
      ->check(CLI::PositiveNumber);
  command.add_option("--timeout-cap", batch.timeout_cap_s, "no instance gets more seconds than this")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--results-dir", batch.results_dir,
                  "results, journal and report; default: the list's name with _results")
      ->type_name("FOLDER");
  CLI::Option* retry = command.add_flag("--retry-errors", batch.retry_errors,
                                        "run again what ended with an error in an earlier run");
  command.add_flag("--restart", batch.restart, "throw away what earlier runs left in the results folder")
      ->excludes(retry);
  command
      .add_option("--patience", batch.patience_s,
                  "seconds to wait when none of the named servers answers, before giving up")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--json", batch.json, "print counts and all results as JSON instead of a table");
  command.add_flag("--quiet", batch.quiet, "no progress on stderr");
}

}  // namespace espalier::client
