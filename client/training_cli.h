// The command lines of train, graft and compare.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli.h"

namespace espalier::client {

// Adds the three commands; their flags fill `line`, which must outlive `app`.
void AddTraining(CLI::App& app, CommandLine& line);

// The command line as it can be pasted into a shell, with `espalier` as the program.
std::string QuotedCommandLine(int argc, char** argv);

}  // namespace espalier::client
