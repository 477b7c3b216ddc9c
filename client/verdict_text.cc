#include "client/verdict_text.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace espalier::client {
namespace {

std::string Word(const v1::VerifyResult& result, const char* time_word) {
  switch (result.answer()) {
    case v1::ANSWER_SAT:
      return "sat";
    case v1::ANSWER_UNSAT:
      return "unsat";
    default:
      return result.limit() == v1::LIMIT_TIME ? time_word : "unknown";
  }
}

std::string WithAssignment(std::string word, const v1::VerifyResult& result) {
  word.push_back('\n');
  if (result.answer() == v1::ANSWER_SAT) word += Assignment(result.witness());
  return word;
}

}  // namespace

std::string StandardOutput(const v1::VerifyResult& result) {
  return WithAssignment(Word(result, "timed-out"), result);
}

std::string ResultFile(const v1::VerifyResult& result) {
  return WithAssignment(Word(result, "timeout"), result);
}

std::string Assignment(const v1::Witness& witness) {
  std::string text = "(";
  const char* separator = "";
  for (int i = 0; i < witness.input_size(); ++i) {
    absl::StrAppendFormat(&text, "%s(X_%d %.17g)", separator, i, witness.input(i));
    separator = "\n";
  }
  for (int i = 0; i < witness.output_size(); ++i) {
    absl::StrAppendFormat(&text, "%s(Y_%d %.17g)", separator, i, witness.output(i));
    separator = "\n";
  }
  text += ")\n";
  return text;
}

std::string StatisticsText(const v1::VerifyResult& result) {
  const v1::Statistics& statistics = result.statistics();
  const v1::RunRecord& record = result.record();
  std::string text;
  const auto line = [&text](const std::string& name, const std::string& value) {
    absl::StrAppend(&text, "; ", name, ": ", value, "\n");
  };
  line("domains", absl::StrCat(statistics.domains()));
  line("splits", absl::StrCat(statistics.splits()));
  line("max open", absl::StrCat(statistics.max_open()));
  line("root bound", absl::StrFormat("%.6g", statistics.root_bound()));
  const std::map<std::string, double> seconds(statistics.seconds().begin(), statistics.seconds().end());
  for (const auto& [phase, value] : seconds)
    line(absl::StrCat(phase, " seconds"), absl::StrFormat("%.4f", value));
  const std::map<std::string, int64_t> counters(statistics.counters().begin(), statistics.counters().end());
  for (const auto& [name, value] : counters) line(name, absl::StrCat(value));
  line("version", record.version());
  line("device", record.device());
  line("processor", record.processor());
  line("seed", absl::StrCat(record.options().seed()));
  line("threads", absl::StrCat(record.options().threads()));
  line("model sha256", record.model_sha256());
  line("query sha256", record.query_sha256());
  return text;
}

}  // namespace espalier::client
