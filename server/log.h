// Structured log lines on stderr, for people or as one JSON object a line:
//
//   Log(LogLevel::kInfo, {{"rpc", "Verify"}, {"code", "OK"}});
//
//   2026-01-31T12:00:00.123 info rpc=Verify code=OK
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","rpc":"Verify","code":"OK"}
//
// Thread-safe. In text, values with spaces or quotes are quoted.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace espalier::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

using LogFields = std::vector<std::pair<const char*, std::string>>;

// "debug", "info", "warn", "error" or "off". INVALID_ARGUMENT otherwise. Before other threads log.
absl::Status SetLog(const std::string& level, LogFormat format);

void Log(LogLevel level, const LogFields& fields);

}  // namespace espalier::server
