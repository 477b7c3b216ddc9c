// The flags of the commands that verify: how the engine is to run.
//
//   EngineFlags flags;
//   AddEngineFlags(command, flags);
//   ... parse ...
//   absl::Status status = SetOptions(flags, options);
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "espalier/v1/options.pb.h"

namespace espalier::client {

struct EngineFlags {
  std::vector<std::string> options;
  std::string threads, memory, seed;
  std::string device = "auto";
  bool no_attack = false;
};

void AddEngineFlags(CLI::App& command, EngineFlags& flags);

// INVALID_ARGUMENT for an unknown option or a value that is no number.
absl::Status SetOptions(const EngineFlags& flags, v1::Options& options);

}  // namespace espalier::client
