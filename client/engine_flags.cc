#include "client/engine_flags.h"

#include "client/options.h"

namespace espalier::client {

void AddEngineFlags(CLI::App& command, EngineFlags& flags) {
  command.add_option("--device", flags.device, "auto, cpu or cuda:N")->capture_default_str();
  command.add_option("--threads", flags.threads, "worker threads; 0: all");
  command.add_option("--memory", flags.memory,
                     "bytes for open domains and buffers; 0: three quarters of what is free");
  command.add_option("--seed", flags.seed, "of the attack's random starts");
  command.add_flag("--no-attack", flags.no_attack, "do not look for counterexamples by gradient descent");
  command.add_option("--option", flags.options,
                     "NAME=VALUE: any other engine option (see supports --options)");
}

absl::Status SetOptions(const EngineFlags& flags, v1::Options& options) {
  std::vector<std::string> assignments = flags.options;
  if (!flags.threads.empty()) assignments.push_back("threads=" + flags.threads);
  if (!flags.memory.empty()) assignments.push_back("memory_bytes=" + flags.memory);
  if (!flags.seed.empty()) assignments.push_back("seed=" + flags.seed);
  if (flags.no_attack) assignments.push_back("attack=0");
  for (const std::string& assignment : assignments) {
    if (absl::Status set = SetOption(assignment, options); !set.ok()) return set;
  }
  return absl::OkStatus();
}

}  // namespace espalier::client
