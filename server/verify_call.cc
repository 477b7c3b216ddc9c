#include "server/verify_call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/convert.h"
#include "server/log.h"

namespace espalier::server {
namespace {

double SecondsSince(absl::Time start) {
  return absl::ToDoubleSeconds(absl::Now() - start);
}

}  // namespace

VerifyCall* VerifyCall::Start(Core& core, grpc::CallbackServerContext* context,
                              const v1::VerifyRequest* request) {
  auto* call = new VerifyCall(core, request);
  if (Failure failure = call->Admit(absl::FromChrono(context->deadline())); !failure.ok()) {
    call->Complete(std::move(failure));
  }
  {
    std::lock_guard<std::mutex> lock(call->mutex_);
    call->admitted_ = true;
  }
  call->Pump();
  return call;
}

Failure VerifyCall::Admit(absl::Time call_deadline) {
  absl::StatusOr<api::Options> options = proto::OptionsFromProto(request_.options());
  if (!options.ok()) return {options.status(), {.reason = "INVALID_REQUEST", .field = "options"}};
  options_ = core_.Effective(*options);
  if (!request_.device().empty() || options_.device < 0) {
    const absl::StatusOr<int64_t> device = DeviceNumber(request_.device());
    if (!device.ok()) return {device.status(), {.reason = "INVALID_REQUEST", .field = "device"}};
    options_.device = *device;
  }
  stop_ = StopSource(std::min(call_deadline, arrival_ + absl::Seconds(options_.timeout_s)));
  const absl::StatusOr<int64_t> position = core_.searches().Submit({
      .owner = this,
      .run = [this] { Run(); },
      .abandon = [this](const absl::Status& why) { Abandon(why); },
      .deadline = stop_.token().deadline(),
  });
  if (!position.ok()) {
    const bool full = position.status().code() == absl::StatusCode::kResourceExhausted;
    return {
        position.status(),
        {.reason = full ? "QUEUE_FULL" : "SHUTTING_DOWN", .retry_delay_s = full ? kRetryDelaySeconds : 0}};
  }
  v1::Accepted accepted;
  accepted.set_queue_position(*position);
  buffer_.Accept(std::move(accepted));
  return {};
}

void VerifyCall::Run() {
  v1::VerifyResult result;
  Failure failure = Decide(result);
  if (failure.ok()) buffer_.PushResult(std::move(result));
  Complete(std::move(failure));
}

Failure VerifyCall::Decide(v1::VerifyResult& result) {
  const double queued = SecondsSince(arrival_);
  BlobPtr model_blob, query_blob;
  Model model;
  if (Failure failure = core_.ResolveModel(request_.model(), model_blob, model); !failure.ok())
    return failure;
  if (Failure failure = core_.Resolve(request_.query(), "query", query_blob); !failure.ok()) return failure;
  const absl::StatusOr<api::Property> property = ReadQuery(model, query_blob->bytes);
  if (!property.ok()) return Core::EngineFailure(property.status(), model, "INVALID_QUERY", "query");
  const double loaded = SecondsSince(arrival_) - queued;
  absl::StatusOr<api::Verdict> verdict = Verify(model, *property, options_, this, stop_.token());
  if (!verdict.ok()) return Core::EngineFailure(verdict.status(), model, "INVALID_REQUEST", "");

  verdict->statistics.seconds["queue"] = queued;
  verdict->statistics.seconds["load"] = loaded;
  verdict->statistics.seconds["total"] = SecondsSince(arrival_);
  for (const std::string& warning : property->warnings) {
    if (std::find(verdict->warnings.begin(), verdict->warnings.end(), warning) == verdict->warnings.end()) {
      verdict->warnings.push_back(warning);
    }
  }
  result = proto::ToProto(*verdict);
  v1::RunRecord& record = *result.mutable_record();
  static const Capabilities* const capabilities = new Capabilities(GetCapabilities());
  record.set_version(capabilities->version);
  record.set_device(DeviceName(options_.device));
  record.set_processor(capabilities->processor);
  *record.mutable_options() = proto::ToProto(options_);
  record.set_model_sha256(model_blob->sha256);
  record.set_query_sha256(query_blob->sha256);
  Log(LogLevel::kInfo, {{"rpc", "Verify"},
                        {"answer", api::AnswerName(verdict->answer())},
                        {"limit", api::LimitName(verdict->limit())},
                        {"domains", absl::StrCat(verdict->statistics.domains)},
                        {"seconds", absl::StrCat(SecondsSince(arrival_))},
                        {"model", model_blob->sha256.substr(0, 12)},
                        {"query", query_blob->sha256.substr(0, 12)}});
  return {};
}

void VerifyCall::Abandon(const absl::Status& why) {
  if (why.code() != absl::StatusCode::kDeadlineExceeded) {
    return Complete({why, {.reason = "SHUTTING_DOWN"}});
  }
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_UNKNOWN);
  result.set_limit(v1::LIMIT_TIME);
  result.set_reason(std::string(why.message()));
  buffer_.PushResult(std::move(result));
  Complete({});
}

void VerifyCall::Complete(Failure failure) {
  if (!failure.ok()) {
    Log(LogLevel::kWarning, {{"rpc", "Verify"},
                             {"code", absl::StatusCodeToString(failure.status().code())},
                             {"seconds", absl::StrCat(SecondsSince(arrival_))},
                             {"message", std::string(failure.status().message())}});
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    failure_ = std::move(failure);
    completed_ = true;
  }
  Pump();
}

void VerifyCall::Pump() {
  bool finish = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!admitted_ || writing_ || finished_) return;
    std::optional<v1::VerifyEvent> next;
    if (!broken_ && !(completed_ && !failure_.ok())) next = buffer_.Next(absl::Now());
    if (next.has_value()) {
      event_ = *std::move(next);
      writing_ = true;
    } else if (completed_) {
      finish = finished_ = true;
    } else {
      return;
    }
  }
  // One caller comes here at a time: writing_ or finished_ keeps the others out.
  if (finish) {
    Finish(failure_.ToGrpc());
  } else {
    StartWrite(&event_);
  }
}

void VerifyCall::OnProgress(const api::Progress& progress) {
  buffer_.Push(proto::ToProto(progress));
  Pump();
}

void VerifyCall::OnDisjunctRefuted(int64_t index) {
  buffer_.PushRefuted(index);
  Pump();
}

void VerifyCall::OnWriteDone(bool ok) {
  if (!ok) stop_.Cancel();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
  }
  Pump();
}

void VerifyCall::OnCancel() {
  stop_.Cancel();
  if (core_.searches().Remove(this))
    Complete({absl::CancelledError("cancelled while it waited in the queue"), {}});
}

}  // namespace espalier::server
