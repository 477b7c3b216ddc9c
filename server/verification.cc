#include "server/verification.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/convert.h"
#include "server/memory_limit.h"

namespace espalier::server {
namespace {

const Capabilities& EngineCapabilities() {
  static const Capabilities* const capabilities = new Capabilities(GetCapabilities());
  return *capabilities;
}

// What the search did in smaller pieces for want of memory: an operator may want to give it more.
void LogShortages(const v1::VerifyResult& result, const v1::VerifyRequest& request) {
  LogFields fields = {{"event", "memory-short"},
                      {"device", result.record().device()},
                      {"model", request.model().sha256().substr(0, 12)},
                      {"query", request.query().sha256().substr(0, 12)}};
  const size_t known = fields.size();
  for (const char* name : api::kShortageCounters) {
    const auto found = result.statistics().counters().find(name);
    if (found != result.statistics().counters().end() && found->second > 0)
      fields.emplace_back(name, absl::StrCat(found->second));
  }
  if (fields.size() > known) Log(LogLevel::kWarning, fields);
}

const char* ShortName(v1::Answer answer) {
  if (answer == v1::ANSWER_SAT) return "sat";
  return answer == v1::ANSWER_UNSAT ? "unsat" : "unknown";
}

}  // namespace

LogFields Verification::LogFieldsOf(const v1::VerifyResult& result) {
  return {{"answer", ShortName(result.answer())},
          {"limit", v1::Limit_Name(result.limit())},
          {"domains", absl::StrCat(result.statistics().domains())},
          {"model", result.record().model_sha256().substr(0, 12)},
          {"query", result.record().query_sha256().substr(0, 12)},
          {"cached", result.cached() ? "yes" : "no"}};
}

Failure Verification::Prepare(Core& core, const v1::VerifyRequest& request, Core::Keep keep) {
  request_ = request;
  const absl::StatusOr<api::Options> asked = proto::OptionsFromProto(request.options());
  if (!asked.ok()) return {asked.status(), {.reason = "INVALID_REQUEST", .field = "options"}};
  if (Failure failure = core.Claim(*request_.mutable_model(), "model", keep, model_); !failure.ok())
    return failure;
  if (Failure failure = core.Claim(*request_.mutable_query(), "query", keep, query_); !failure.ok())
    return failure;
  api::Options options = core.Effective(*asked);
  if (!request.device().empty() || options.device < 0) {
    const absl::StatusOr<int64_t> device = DeviceNumber(request.device());
    if (!device.ok()) return {device.status(), {.reason = "INVALID_REQUEST", .field = "device"}};
    options.device = *device;
  }
  if (Failure failure = PredictMemory(core.limits(), options); !failure.ok()) return failure;
  *request_.mutable_options() = proto::ToProto(options);
  return {};
}

Failure Verification::PredictMemory(const Limits& limits, api::Options& options) {
  if (limits.memory_total == 0) return {};
  const int64_t fixed = kWorkerBytes + kBytesPerModelByte * model_.size;
  const std::string what = absl::StrCat("to verify a model of ", model_.size, " bytes");
  if (Failure failure = LimitMemory(limits, fixed, what, options.memory_bytes); !failure.ok()) return failure;
  memory_bytes_ = fixed + options.memory_bytes;
  return {};
}

Failure Verification::Run(Core& core, VerifyListener& listener, StopToken stop, absl::Time arrival,
                          v1::VerifyResult& result, const Continuation& continuation) const {
  const double queued = absl::ToDoubleSeconds(absl::Now() - arrival);
  const Capabilities& capabilities = EngineCapabilities();
  std::string key;
  if (request_.allow_cached()) {
    key = ResultCache::KeyOf(request_, capabilities.version);
    if (std::optional<v1::VerifyResult> known = core.results().Find(key)) {
      result = *std::move(known);
      result.set_cached(true);
      core.counters().CountAnswer(ShortName(result.answer()));
      return {};
    }
  }
  if (Failure failure = core.engine().Verify(request_, continuation, listener, stop, result); !failure.ok())
    return failure;
  v1::Statistics& statistics = *result.mutable_statistics();
  (*statistics.mutable_seconds())["queue"] = queued;
  (*statistics.mutable_seconds())["total"] = absl::ToDoubleSeconds(absl::Now() - arrival);
  if (memory_bytes_ > 0) (*statistics.mutable_counters())["memory_limit_bytes"] = memory_bytes_;
  v1::RunRecord& record = *result.mutable_record();
  record.set_version(capabilities.version);
  if (record.device().empty())  // the engine says which of several cards it took
    record.set_device(DeviceName(static_cast<int64_t>(request_.options().device())));
  record.set_processor(capabilities.processor);
  *record.mutable_options() = request_.options();
  record.set_model_sha256(request_.model().sha256());
  record.set_query_sha256(request_.query().sha256());
  LogShortages(result, request_);
  if (!key.empty()) core.results().Add(key, result);
  core.counters().CountAnswer(ShortName(result.answer()));
  return {};
}

}  // namespace espalier::server
