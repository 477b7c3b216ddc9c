#include "client/cli.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "absl/strings/str_split.h"
#include "client/batch_cli.h"
#include "client/completion.h"
#include "client/engine_flags.h"
#include "client/number_check.h"
#include "client/training_cli.h"

namespace espalier::client {
namespace {

// What the flags fill before it becomes VerifyArguments and BatchArguments.
struct VerifyFlags {
  std::vector<std::string> networks;
  EngineFlags engine;
  double timeout_s = -1;
};

void AddServer(CLI::App& command, CommandLine& line) {
  command
      .add_option("--server", line.server,
                  "HOST:PORT or unix:/PATH, or several with commas; default: a server of its own")
      ->envname("ESPALIER_SERVER");
  AddCredentialFlags(command, line.credentials);
}

// What is to be verified, and how.
void AddSearch(CLI::App& command, VerifyArguments& verify, VerifyFlags& flags, bool required = true) {
  command.add_option("query", verify.query, "VNN-LIB file, may be gzip-compressed")->required(required);
  command.add_option("--network", flags.networks, "ONNX file, may be gzip-compressed; NAME=FILE as well")
      ->required(required);
  AddEngineFlags(command, flags.engine);
}

void AddVerify(CLI::App& app, CommandLine& line, VerifyFlags& flags) {
  VerifyArguments& verify = line.verify;
  CLI::App& command =
      *app.add_subcommand("verify", "decide a VNN-LIB query: sat, unsat, unknown or timed-out");
  AddSearch(command, verify, flags);
  command
      .add_option("--timeout", flags.timeout_s,
                  "seconds from the start of this process; default 300 in the server")
      ->check(NotNegative());
  command.add_option("--results-file", verify.results_file, "also write the result here, in VNN-COMP form");
  command.add_flag("--explain", verify.explain, "say on stderr what was chosen and why");
  command.add_flag("--stats", verify.stats, "print statistics and what is needed to run it again on stderr");
  command.add_flag("--quiet", verify.quiet, "no progress on stderr");
  command.add_flag("--json", verify.json, "the whole result as JSON instead of verdict and assignment");
}

// What is to be kept needs a server that keeps it, so one has to be named.
void AddKeepingServer(CLI::App& command, CommandLine& line) {
  command
      .add_option("--server", line.server,
                  "HOST:PORT or unix:/PATH of a server with a data directory, or several with commas")
      ->envname("ESPALIER_SERVER")
      ->required();
  AddCredentialFlags(command, line.credentials);
}

void AddJobs(CLI::App& app, CommandLine& line, VerifyFlags& flags) {
  SubmitArguments& submit = line.submit;
  CLI::App& submit_command =
      *app.add_subcommand("submit", "verify as a job on a server, and print the job's number");
  AddSearch(submit_command, submit.verify, flags, /*required=*/false);
  submit_command.add_option(
      "--continue", submit.continue_job,
      "go on with what this job left open; its query, network and options where not given");
  submit_command
      .add_option("--timeout", flags.timeout_s,
                  "seconds from the start of the run; default 300 in the server")
      ->check(NotNegative());
  submit_command.add_option("--label", submit.label, "for people: shown in lists");
  submit_command.add_option("--request-id", submit.request_id,
                            "submitting again with the same one gives the same job instead of another");
  submit_command.add_flag("--json", submit.json, "as JSON");

  WatchArguments& watch = line.watch;
  CLI::App& watch_command =
      *app.add_subcommand("watch", "follow a job to its answer; survives the server's restart");
  watch_command.add_option("job", watch.job_id, "number of the job")->required();
  watch_command.add_option("--from", watch.from, "number of the first event; 0: all")->check(NotNegative());
  watch_command.add_option("--patience", watch.patience_s, "seconds to try again when the server is away")
      ->check(NotNegative())
      ->capture_default_str();
  watch_command.add_flag("--json", watch.json, "every event as one line of JSON");
  watch_command.add_flag("--quiet", watch.quiet, "no progress on stderr");

  CLI::App& cancel_command = *app.add_subcommand("cancel", "take a job out of the queue, or stop it");
  cancel_command.add_option("job", line.cancel.job_id, "number of the job")->required();
  cancel_command.add_flag("--json", line.cancel.json, "as JSON");

  JobsArguments& jobs = line.jobs;
  CLI::App& jobs_command = *app.add_subcommand("jobs", "list a server's jobs, newest first, or show one");
  CLI::Option* job = jobs_command.add_option("job", jobs.job_id, "number of the job to show");
  jobs_command.add_option("--state", jobs.state, "only queued, running, done, failed or cancelled ones")
      ->check(CLI::IsMember({"queued", "running", "done", "failed", "cancelled"}))
      ->excludes(job);
  jobs_command.add_option("--limit", jobs.limit, "at most so many")
      ->check(Positive())
      ->capture_default_str()
      ->excludes(job);
  jobs_command.add_flag("--delete", jobs.remove, "forget the job and its result")->needs(job);
  jobs_command.add_flag("--json", jobs.json, "one line of JSON a job");
  for (CLI::App* command : {&submit_command, &watch_command, &cancel_command, &jobs_command})
    AddKeepingServer(*command, line);
}

void AddKept(CLI::App& app, CommandLine& line) {
  ModelsArguments& models = line.models;
  CLI::App& models_command =
      *app.add_subcommand("models", "list the models that a server keeps, last used first, or show one");
  CLI::Option* digest =
      models_command.add_option("model", models.sha256, "SHA-256 digest of the model to show");
  models_command.add_option("--upload", models.upload, "add this ONNX file, and print its digest")
      ->excludes(digest);
  models_command.add_option("--limit", models.limit, "at most so many")
      ->check(Positive())
      ->capture_default_str()
      ->excludes(digest);
  models_command.add_flag("--delete", models.remove, "forget the model's file; results stay")->needs(digest);
  models_command.add_flag("--json", models.json, "one line of JSON a model");
  AddKeepingServer(models_command, line);

  CLI::App& health_command = *app.add_subcommand("health", "ask whether a server takes calls");
  health_command.add_option("--timeout", line.health.timeout_s, "seconds")
      ->check(Positive())
      ->capture_default_str();
  health_command.add_flag("--json", line.health.json, "as JSON");
  health_command.add_option("--server", line.server, "HOST:PORT or unix:/PATH")
      ->envname("ESPALIER_SERVER")
      ->required();
  AddCredentialFlags(health_command, line.credentials);
}

void AddOthers(CLI::App& app, CommandLine& line) {
  CLI::App& describe =
      *app.add_subcommand("describe", "inputs, outputs, operators, layers, unsupported nodes");
  describe.add_option("network", line.describe.network, "ONNX file")->required();
  describe.add_flag("--json", line.describe.json, "as JSON");

  BoundsArguments& bounds = line.bounds;
  CLI::App& bound = *app.add_subcommand("bounds", "certified bounds of the outputs over a box of inputs");
  bound.add_option("network", bounds.network, "ONNX file")->required();
  bound.add_option("--method", bounds.method, "interval, crown or alpha-crown")
      ->check(CLI::IsMember({"interval", "crown", "alpha-crown"}))
      ->capture_default_str();
  CLI::Option* query = bound.add_option("--query", bounds.query, "VNN-LIB file: take its box");
  CLI::Option* lower =
      bound.add_option("--lower", bounds.lower, ".npy array of lower input bounds")->excludes(query);
  CLI::Option* upper =
      bound.add_option("--upper", bounds.upper, ".npy array of upper input bounds")->excludes(query);
  lower->needs(upper);
  upper->needs(lower);
  bound.add_option("--box", bounds.box, "which of the query's boxes, from 0")->check(NotNegative());
  bound.add_option("--iterations", bounds.iterations, "optimisation steps of alpha-CROWN; default 20");
  bound.add_option("--threads", bounds.threads, "0: all")->check(NotNegative());
  bound.add_option("--device", bounds.device, "auto, cpu or cuda:N")->capture_default_str();
  bound.add_flag("--keep-intermediate", bounds.keep_intermediate,
                 "alpha-CROWN: do not optimise intermediate bounds");
  bound.add_flag("--plain", bounds.plain, "do not intersect with interval bounds");
  bound.add_flag("--layers", bounds.layers, "every activation layer's bounds as well");
  bound.add_flag("--json", bounds.json, "as JSON");
  bound.callback([&bounds] {
    if (bounds.query.empty() && bounds.lower.empty())
      throw CLI::RequiredError("--query, or --lower and --upper");
  });

  CLI::App& run = *app.add_subcommand("run", "the imported network's own outputs at one point");
  run.add_option("network", line.run.network, "ONNX file")->required();
  run.add_option("--input", line.run.input, ".npy array, as many elements as the network has inputs")
      ->required();
  run.add_option("--output", line.run.output, "write a .npy array here instead of printing");
  run.add_flag("--float64", line.run.float64, "all arithmetic in double");
  run.add_flag("--json", line.run.json, "as JSON");

  SupportsArguments& supports = line.supports;
  CLI::App& support = *app.add_subcommand("supports", "what this verifier can do, one item a line");
  support.add_flag("--onnx-operators", supports.operators, "operators that can be verified");
  support.add_flag("--onnx-opset-versions", supports.opsets, "versions of the standard operator set");
  support.add_flag("--onnx-element-types", supports.element_types, "arithmetic that `unsat` speaks about");
  support.add_flag("--vnnlib-versions", supports.vnnlib, "versions of the query language");
  support.add_flag("--devices", supports.devices, "devices of the server");
  support.add_flag("--options", supports.options, "engine options: name, default, meaning");
  support.add_flag("--train-options", supports.train_options, "options of train and of graft's fine-tuning");
  support.add_flag("--graft-options", supports.graft_options, "options of graft");
  support.add_flag("--json", supports.json, "everything that the server says of itself, as JSON");
  support.require_option(1, 0);
}

// --network FILE or --network NAME=FILE.
std::string NetworkPath(const std::string& text) {
  struct stat info {};
  const size_t equals = text.find('=');
  if (equals == std::string::npos || stat(text.c_str(), &info) == 0) return text;
  return text.substr(equals + 1);
}

absl::Status FinishVerify(const VerifyFlags& flags, VerifyArguments& verify) {
  if (flags.networks.size() > 1)
    return absl::InvalidArgumentError("queries over several networks are not supported");
  if (!flags.networks.empty()) verify.network = NetworkPath(flags.networks.front());
  if (flags.timeout_s >= 0) verify.timeout_s = flags.timeout_s;
  verify.device = flags.engine.device;
  return SetOptions(flags.engine, verify.options);
}

absl::Status FinishSubmit(const VerifyFlags& flags, SubmitArguments& submit) {
  if (submit.continue_job.empty() && (submit.verify.query.empty() || flags.networks.empty()))
    return absl::InvalidArgumentError("a query and --network are required, or --continue");
  return FinishVerify(flags, submit.verify);
}

absl::Status FinishBatch(const std::string& server, const EngineFlags& flags, BatchArguments& batch) {
  batch.servers = absl::StrSplit(server, ',', absl::SkipEmpty());
  batch.device = flags.device;
  return SetOptions(flags, batch.options);
}

Command ChosenCommand(const CLI::App& app) {
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "verify") return Command::kVerify;
  if (name == "describe") return Command::kDescribe;
  if (name == "bounds") return Command::kBounds;
  if (name == "run") return Command::kRun;
  if (name == "train") return Command::kTrain;
  if (name == "graft") return Command::kGraft;
  if (name == "compare") return Command::kCompare;
  if (name == "batch") return Command::kBatch;
  if (name == "submit") return Command::kSubmit;
  if (name == "watch") return Command::kWatch;
  if (name == "cancel") return Command::kCancel;
  if (name == "jobs") return Command::kJobs;
  if (name == "models") return Command::kModels;
  if (name == "health") return Command::kHealth;
  return Command::kSupports;
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv) {
  CommandLine line;
  VerifyFlags flags;
  EngineFlags batch_engine;
  CLI::App app("espalier: verify neural networks (ONNX, VNN-LIB), and make networks that verify");
  bool name = false;
  app.set_version_flag("--version", ESPALIER_VERSION);
  app.add_flag("--name", name, "print the solver's name");
  app.footer(kExitCodeHelp);
  app.require_subcommand(0, 1);
  AddVerify(app, line, flags);
  AddOthers(app, line);
  AddTraining(app, line);
  CLI::App& batch = *app.add_subcommand("batch", "verify every line of a list (VNN-COMP's instances.csv)");
  AddBatch(batch, line.batch);
  AddEngineFlags(batch, batch_engine);
  for (CLI::App* command : app.get_subcommands({})) AddServer(*command, line);
  std::string shell;
  CLI::App* completion = app.add_subcommand("completion", "print a script that completes commands");
  completion->add_option("shell", shell, "")->required()->check(CLI::IsMember({"bash"}));
  AddJobs(app, line, flags);
  AddKept(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    line.exit_code = app.exit(error) == 0 ? kDone : kUsage;
    return line;
  }
  if (name) {
    std::puts("espalier");
    return line;
  }
  if (completion->parsed()) {
    std::fputs(BashCompletion(app).c_str(), stdout);
    return line;
  }
  if (app.get_subcommands().empty()) {
    std::fputs(app.help().c_str(), stderr);
    line.exit_code = kUsage;
    return line;
  }
  line.command = ChosenCommand(app);
  line.graft.command_line = line.compare.command_line = line.batch.command_line =
      QuotedCommandLine(argc, argv);
  absl::Status status;
  if (line.command == Command::kVerify) status = FinishVerify(flags, line.verify);
  if (line.command == Command::kSubmit) status = FinishSubmit(flags, line.submit);
  line.batch.credentials = line.credentials;
  if (line.command == Command::kBatch) status = FinishBatch(line.server, batch_engine, line.batch);
  if (!status.ok()) {
    ReportError(status);
    line.command = Command::kNone;
    line.exit_code = kUsage;
  }
  return line;
}

}  // namespace espalier::client
