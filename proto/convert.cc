#include "proto/convert.h"

#include <string>

#include "verifier/base/status.h"

namespace espalier::proto {

absl::StatusOr<api::Options> OptionsFromProto(const v1::Options& message) {
  api::Options options;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  if (message.has_##name()) options.name = message.name();
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  ESPALIER_RETURN_IF_ERROR(api::CheckOptions(options));
  return options;
}

v1::Options ToProto(const api::Options& options) {
  v1::Options message;
#define ESPALIER_OPTION(type, name, default_value, minimum, maximum, unit, meaning) \
  message.set_##name(options.name);
#include "verifier/api/options.def"
#undef ESPALIER_OPTION
  return message;
}

v1::OptionInfo ToProto(const api::OptionRow& row) {
  v1::OptionInfo message;
  message.set_name(row.name);
  message.set_default_value(row.default_value);
  message.set_minimum(row.minimum);
  message.set_maximum(row.maximum);
  message.set_unit(row.unit);
  message.set_meaning(row.meaning);
  message.set_integer(row.integer);
  return message;
}

v1::Progress ToProto(const api::Progress& progress) {
  v1::Progress message;
  message.set_phase(progress.phase);
  message.set_seconds(progress.seconds);
  message.set_bound(progress.bound);
  message.set_open(progress.open);
  message.set_closed(progress.closed);
  message.set_splits(progress.splits);
  message.set_disjuncts_open(progress.disjuncts_open);
  message.set_disjuncts_total(progress.disjuncts_total);
  return message;
}

v1::Witness ToProto(const api::Witness& witness) {
  v1::Witness message;
  message.mutable_input()->Add(witness.input.begin(), witness.input.end());
  message.mutable_output()->Add(witness.output.begin(), witness.output.end());
  message.set_rounded(witness.rounded);
  return message;
}

v1::Statistics ToProto(const api::Statistics& statistics) {
  v1::Statistics message;
  message.set_domains(statistics.domains);
  message.set_splits(statistics.splits);
  message.set_max_open(statistics.max_open);
  message.set_root_bound(statistics.root_bound);
  message.mutable_seconds()->insert(statistics.seconds.begin(), statistics.seconds.end());
  message.mutable_counters()->insert(statistics.counters.begin(), statistics.counters.end());
  return message;
}

v1::Answer ToProto(api::Answer answer) {
  switch (answer) {
    case api::Answer::kVerified:
      return v1::ANSWER_UNSAT;
    case api::Answer::kFalsified:
      return v1::ANSWER_SAT;
    case api::Answer::kUnknown:
      return v1::ANSWER_UNKNOWN;
  }
  return v1::ANSWER_UNKNOWN;
}

v1::Limit ToProto(api::Limit limit) {
  switch (limit) {
    case api::Limit::kNone:
      return v1::LIMIT_UNSPECIFIED;
    case api::Limit::kTime:
      return v1::LIMIT_TIME;
    case api::Limit::kMemory:
      return v1::LIMIT_MEMORY;
    case api::Limit::kDomains:
      return v1::LIMIT_DOMAINS;
    case api::Limit::kCancelled:
      return v1::LIMIT_CANCELLED;
    case api::Limit::kNumerical:
      return v1::LIMIT_NUMERICAL;
    case api::Limit::kUnsupported:
      return v1::LIMIT_UNSUPPORTED;
  }
  return v1::LIMIT_UNSPECIFIED;
}

v1::VerifyResult ToProto(const api::Verdict& verdict) {
  v1::VerifyResult message;
  message.set_answer(ToProto(verdict.answer()));
  message.set_limit(ToProto(verdict.limit()));
  message.set_reason(verdict.reason());
  if (verdict.witness().has_value()) *message.mutable_witness() = ToProto(*verdict.witness());
  *message.mutable_statistics() = ToProto(verdict.statistics);
  for (const std::string& line : verdict.explanation) message.add_explanation(line);
  for (const std::string& line : verdict.warnings) message.add_warnings(line);
  return message;
}

}  // namespace espalier::proto
