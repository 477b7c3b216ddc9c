// Shell completion, made from the command line's own description, so that it cannot fall behind.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace espalier::client {

// A bash script that completes `app`'s commands, their flags, and the values of flags that name a few; other
// words are completed as files.
std::string BashCompletion(const CLI::App& app);

}  // namespace espalier::client
