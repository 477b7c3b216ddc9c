// Checks of numbers on the command line. CLI11's own print the largest double there is when they refuse one.
#pragma once

#include <CLI/CLI.hpp>

namespace espalier::client {

CLI::Validator NotNegative();
CLI::Validator Positive();

}  // namespace espalier::client
