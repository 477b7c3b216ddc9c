#include "server/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

spdlog::logger& Logger() {
  static spdlog::logger* logger = [] {
    auto* created = new spdlog::logger("espalierd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    return created;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

absl::Status SetLogLevel(const std::string& name) {
  const spdlog::level::level_enum level = spdlog::level::from_str(name);
  if (level == spdlog::level::off && name != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("log level '", name, "': use debug, info, warn, error or off"));
  }
  Logger().set_level(level);
  return absl::OkStatus();
}

void Log(LogLevel level, std::initializer_list<std::pair<const char*, std::string>> fields) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  std::string line;
  for (const auto& [key, value] : fields) {
    if (!line.empty()) line.push_back(' ');
    const bool plain = !value.empty() && value.find_first_of(" \t\r\n\"=\\") == std::string::npos;
    absl::StrAppend(&line, key, "=", plain ? value : absl::StrCat("\"", absl::CEscape(value), "\""));
  }
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line));
}

}  // namespace espalier::server
