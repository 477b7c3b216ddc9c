// Structured log lines on stderr: "2026-01-31T12:00:00.123 info rpc=Verify code=OK seconds=0.12 answer=sat".
//
//   Log(LogLevel::kInfo, {{"rpc", "Verify"}, {"code", "OK"}});
//
// Thread-safe. Values with spaces or quotes are quoted.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace espalier::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warn", "error" or "off". INVALID_ARGUMENT otherwise.
absl::Status SetLogLevel(const std::string& name);

void Log(LogLevel level, std::initializer_list<std::pair<const char*, std::string>> fields);

}  // namespace espalier::server
