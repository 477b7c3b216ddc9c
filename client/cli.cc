#include "client/cli.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "client/options.h"
#include "client/training_cli.h"

namespace espalier::client {
namespace {

// What the flags of `verify` fill before it becomes VerifyArguments.
struct VerifyFlags {
  std::vector<std::string> networks, options;
  std::string threads, memory, seed;
  double timeout_s = -1;
  bool no_attack = false;
};

void AddServer(CLI::App& command, CommandLine& line) {
  command.add_option("--server", line.server, "HOST:PORT or unix:/PATH; default: a server of its own")
      ->envname("ESPALIER_SERVER");
}

void AddVerify(CLI::App& app, CommandLine& line, VerifyFlags& flags) {
  VerifyArguments& verify = line.verify;
  CLI::App& command =
      *app.add_subcommand("verify", "decide a VNN-LIB query: sat, unsat, unknown or timed-out");
  command.add_option("query", verify.query, "VNN-LIB file, may be gzip-compressed")->required();
  command.add_option("--network", flags.networks, "ONNX file, may be gzip-compressed; NAME=FILE as well")
      ->required();
  command
      .add_option("--timeout", flags.timeout_s,
                  "seconds from the start of this process; default 300 in the server")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--results-file", verify.results_file, "also write the result here, in VNN-COMP form");
  command.add_option("--device", verify.device, "auto, cpu or cuda:N")->capture_default_str();
  command.add_option("--threads", flags.threads, "worker threads; 0: all");
  command.add_option("--memory", flags.memory,
                     "bytes for open domains and buffers; 0: three quarters of what is free");
  command.add_option("--seed", flags.seed, "of the attack's random starts");
  command.add_flag("--no-attack", flags.no_attack, "do not look for counterexamples by gradient descent");
  command.add_option("--option", flags.options,
                     "NAME=VALUE: any other engine option (see supports --options)");
  command.add_flag("--explain", verify.explain, "say on stderr what was chosen and why");
  command.add_flag("--stats", verify.stats, "print statistics and what is needed to run it again on stderr");
  command.add_flag("--quiet", verify.quiet, "no progress on stderr");
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
  bound.add_option("--box", bounds.box, "which of the query's boxes, from 0")->check(CLI::NonNegativeNumber);
  bound.add_option("--iterations", bounds.iterations, "optimisation steps of alpha-CROWN; default 20");
  bound.add_option("--threads", bounds.threads, "0: all")->check(CLI::NonNegativeNumber);
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
  verify.network = NetworkPath(flags.networks.front());
  if (flags.timeout_s >= 0) verify.timeout_s = flags.timeout_s;
  std::vector<std::string> assignments = flags.options;
  if (!flags.threads.empty()) assignments.push_back("threads=" + flags.threads);
  if (!flags.memory.empty()) assignments.push_back("memory_bytes=" + flags.memory);
  if (!flags.seed.empty()) assignments.push_back("seed=" + flags.seed);
  if (flags.no_attack) assignments.push_back("attack=0");
  for (const std::string& assignment : assignments) {
    if (absl::Status set = SetOption(assignment, verify.options); !set.ok()) return set;
  }
  return absl::OkStatus();
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
  return Command::kSupports;
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv) {
  CommandLine line;
  VerifyFlags flags;
  CLI::App app("espalier: verify neural networks (ONNX, VNN-LIB), and make networks that verify");
  bool name = false;
  app.set_version_flag("--version", ESPALIER_VERSION);
  app.add_flag("--name", name, "print the solver's name");
  app.footer(kExitCodeHelp);
  app.require_subcommand(0, 1);
  AddVerify(app, line, flags);
  AddOthers(app, line);
  AddTraining(app, line);
  for (CLI::App* command : app.get_subcommands({})) AddServer(*command, line);
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
  if (app.get_subcommands().empty()) {
    std::fputs(app.help().c_str(), stderr);
    line.exit_code = kUsage;
    return line;
  }
  line.command = ChosenCommand(app);
  line.graft.command_line = line.compare.command_line = QuotedCommandLine(argc, argv);
  if (line.command != Command::kVerify) return line;
  if (const absl::Status status = FinishVerify(flags, line.verify); !status.ok()) {
    ReportError(status);
    line.command = Command::kNone;
    line.exit_code = kUsage;
  }
  return line;
}

}  // namespace espalier::client
