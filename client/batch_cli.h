// The command line of `espalier batch`.
#pragma once

#include <CLI/CLI.hpp>

#include "client/commands.h"

namespace espalier::client {

// `command` has its flags already that all commands have.
void AddBatch(CLI::App& command, BatchArguments& batch);

}  // namespace espalier::client
