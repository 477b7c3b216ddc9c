#include "client/job_text.h"

#include <google/protobuf/util/json_util.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client {
namespace {

constexpr std::array<const char*, 6> kStates = {"", "queued", "running", "done", "failed", "cancelled"};

std::string AnswerName(const v1::Job& job) {
  switch (job.answer()) {
    case v1::ANSWER_SAT:
      return "sat";
    case v1::ANSWER_UNSAT:
      return "unsat";
    case v1::ANSWER_UNKNOWN:
      return job.limit() == v1::LIMIT_TIME ? "timed-out" : "unknown";
    default:
      return "-";
  }
}

}  // namespace

std::string AgeText(double seconds) {
  if (seconds < 100) return absl::StrFormat("%.0fs", seconds);
  if (seconds < 100 * 60) return absl::StrFormat("%.0fm", seconds / 60);
  if (seconds < 48 * 3600) return absl::StrFormat("%.0fh", seconds / 3600);
  return absl::StrFormat("%.0fd", seconds / 86400);
}

std::string TimeText(double seconds) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::UnixEpoch() + absl::Seconds(seconds),
                          absl::LocalTimeZone());
}

std::string StateName(v1::JobState state) {
  const auto index = static_cast<size_t>(state);
  return index < kStates.size() ? kStates[index] : "";
}

std::optional<v1::JobState> StateOf(const std::string& name) {
  for (size_t i = 1; i < kStates.size(); ++i) {
    if (name == kStates[i]) return static_cast<v1::JobState>(i);
  }
  return std::nullopt;
}

std::string JobTable(const google::protobuf::RepeatedPtrField<v1::Job>& jobs, absl::Time now) {
  std::string text =
      absl::StrFormat("%-32s  %-9s  %-9s  %5s  %s\n", "job", "state", "answer", "age", "label");
  const double now_s = absl::ToDoubleSeconds(now - absl::UnixEpoch());
  for (const v1::Job& job : jobs) {
    absl::StrAppendFormat(&text, "%-32s  %-9s  %-9s  %5s  %s\n", job.job_id(), StateName(job.state()),
                          AnswerName(job), AgeText(now_s - job.created_s()), job.label());
  }
  return text;
}

std::string JobText(const v1::Job& job) {
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    if (!value.empty()) absl::StrAppendFormat(&text, "%-12s %s\n", name, value);
  };
  line("job", job.job_id());
  line("label", job.label());
  line("state", StateName(job.state()));
  if (job.answer() != v1::ANSWER_UNSPECIFIED) line("answer", AnswerName(job));
  line("reason", job.result().reason());
  line("error", job.error().message());
  line("client", job.client());
  line("attempts", absl::StrCat(job.attempts()));
  line("submitted", TimeText(job.created_s()));
  if (job.started_s() > 0) line("started", TimeText(job.started_s()));
  if (job.finished_s() > 0) line("ended", TimeText(job.finished_s()));
  line("events", absl::StrCat(job.last_sequence()));
  line("model", job.verify().model().sha256());
  line("query", job.verify().query().sha256());
  return text;
}

std::string Json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return "{}\n";
  return text + "\n";
}

}  // namespace espalier::client
