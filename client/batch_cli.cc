#include "client/batch_cli.h"

#include "client/number_check.h"

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
      ->check(Positive());
  command.add_option("--timeout-cap", batch.timeout_cap_s, "no instance gets more seconds than this")
      ->check(Positive());
  command
      .add_option(
          "--results-dir", batch.results_dir,
          "results, journal and report; default: the list's name with _results, or with _results_I_of_N")
      ->type_name("FOLDER");
  command
      .add_option_function<std::string>(
          "--shard",
          [&batch](const std::string& text) {
            const absl::StatusOr<Shard> shard = ParseShard(text);
            if (!shard.ok()) throw CLI::ValidationError("--shard", std::string(shard.status().message()));
            batch.shard = *shard;
          },
          "run part I of N of the list only; each part needs a results folder of its own")
      ->type_name("I/N");
  command
      .add_option("--collect", batch.collect,
                  "take what a batch over the same list has finished in this results folder; may be repeated")
      ->allow_extra_args(false)
      ->type_name("FOLDER");
  CLI::Option* retry = command.add_flag("--retry-errors", batch.retry_errors,
                                        "run again what ended with an error in an earlier run");
  command.add_flag("--restart", batch.restart, "throw away what earlier runs left in the results folder")
      ->excludes(retry);
  command
      .add_option("--patience", batch.patience_s,
                  "seconds to wait when none of the named servers answers, before giving up")
      ->check(NotNegative())
      ->capture_default_str();
  command.add_flag("--json", batch.json, "print counts and all results as JSON instead of a table");
  command.add_flag("--quiet", batch.quiet, "no progress on stderr");
}

}  // namespace espalier::client
