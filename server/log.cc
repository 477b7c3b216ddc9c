#include "server/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

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

std::string Text(const LogFields& fields) {
  std::string line;
  for (const auto& [key, value] : fields) {
    if (!line.empty()) line.push_back(' ');
    const bool plain = !value.empty() && value.find_first_of(" \t\r\n\"=\\") == std::string::npos;
    absl::StrAppend(&line, key, "=", plain ? value : absl::StrCat("\"", absl::CEscape(value), "\""));
  }
  return line;
}

// The members of a JSON object, without its braces. Bytes that are no UTF-8 are replaced.
std::string Members(const LogFields& fields) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [key, value] : fields) object[key] = value;
  const std::string text = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

// Written once at the start.
LogFormat& Format() {
  static LogFormat format = LogFormat::kText;
  return format;
}

}  // namespace

absl::Status SetLog(const std::string& level, LogFormat format) {
  const spdlog::level::level_enum least = spdlog::level::from_str(level);
  if (least == spdlog::level::off && level != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("log level '", level, "': use debug, info, warn, error or off"));
  }
  Logger().set_level(least);
  Format() = format;
  if (format == LogFormat::kJson)
    Logger().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
                         spdlog::pattern_time_type::utc);
  return absl::OkStatus();
}

void Log(LogLevel level, const LogFields& fields) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  const std::string line = Format() == LogFormat::kJson ? Members(fields) : Text(fields);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line));
}

}  // namespace espalier::server
