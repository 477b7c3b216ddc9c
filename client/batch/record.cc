#include "client/batch/record.h"

#include <nlohmann/json.hpp>

#include "client/verdict_text.h"

namespace espalier::client {
namespace {

using Json = nlohmann::ordered_json;

// Calls `field(name, member)` for every member.
template <typename Record, typename Field>
void ForEachField(Record& record, Field field) {
  field("category", record.category);
  field("model", record.model);
  field("query", record.query);
  field("timeout_s", record.timeout_s);
  field("occurrence", record.occurrence);
  field("result", record.result);
  field("seconds", record.seconds);
  field("cause", record.cause);
  field("reason", record.reason);
  field("server", record.server);
  field("version", record.version);
  field("device", record.device);
  field("processor", record.processor);
  field("seed", record.seed);
  field("threads", record.threads);
  field("domains", record.domains);
  field("splits", record.splits);
  field("model_sha256", record.model_sha256);
  field("query_sha256", record.query_sha256);
  field("result_text", record.result_text);
}

std::string CauseOf(v1::Limit limit) {
  switch (limit) {
    case v1::LIMIT_TIME:
      return "";
    case v1::LIMIT_MEMORY:
      return "memory limit";
    case v1::LIMIT_DOMAINS:
      return "domain limit";
    case v1::LIMIT_NUMERICAL:
      return "numerical limit";
    case v1::LIMIT_UNSUPPORTED:
      return "unsupported part";
    default:
      return "undecided";
  }
}

}  // namespace

InstanceRecord RecordOf(const Instance& instance, double timeout_s, int64_t occurrence) {
  InstanceRecord record;
  record.category = instance.category;
  record.model = instance.model;
  record.query = instance.query;
  record.timeout_s = timeout_s;
  record.occurrence = occurrence;
  return record;
}

void SetAnswer(const v1::VerifyResult& result, InstanceRecord& record) {
  record.result_text = ResultFile(result);
  record.result = record.result_text.substr(0, record.result_text.find('\n'));
  record.reason = result.reason();
  record.cause = record.result == "unknown" ? CauseOf(result.limit()) : "";
  const v1::RunRecord& run = result.record();
  record.version = run.version();
  record.device = run.device();
  record.processor = run.processor();
  record.seed = run.options().seed();
  record.threads = run.options().threads();
  record.domains = result.statistics().domains();
  record.splits = result.statistics().splits();
}

void SetError(const std::string& cause, const std::string& reason, InstanceRecord& record) {
  record.result = "error";
  record.result_text = "error\n";
  record.cause = cause;
  record.reason = reason;
}

std::string RecordLine(const InstanceRecord& record) {
  Json json = Json::object();
  ForEachField(record, [&json](const char* name, const auto& member) { json[name] = member; });
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<InstanceRecord> RecordOfLine(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  InstanceRecord record;
  bool complete = json.is_object();
  ForEachField(record, [&](const char* name, auto& member) {
    using Member = std::remove_reference_t<decltype(member)>;
    const auto found = complete ? json.find(name) : json.end();
    complete = complete && found != json.end() &&
               (std::is_same_v<Member, std::string> ? found->is_string() : found->is_number());
    if (complete) member = found->template get<Member>();
  });
  if (!complete) return absl::InvalidArgumentError("no record of an instance");
  return record;
}

}  // namespace espalier::client
