#include "client/batch/instance_call.h"

#include <map>
#include <utility>

#include "client/exit_code.h"
#include "client/verify_call.h"

namespace espalier::client {
namespace {

using Kind = Attempt::Kind;

// What went wrong, in few words.
std::string CauseOf(const grpc::Status& status) {
  static const std::map<std::string, std::string> by_reason = {
      {"INVALID_QUERY", "query not understood"},    {"INVALID_MODEL", "model not understood"},
      {"UNSUPPORTED_MODEL", "model not supported"}, {"QUOTA_EXCEEDED", "server's storage full"},
      {"WORKER_DIED", "verifier crashed"},          {"NOT_ENOUGH_MEMORY", "out of memory"},
  };
  const auto known = by_reason.find(DetailOf(status).reason());
  if (known != by_reason.end()) return known->second;
  switch (ExitCodeOf(status)) {
    case kBadInput:
      return "wrong input";
    case kUnsupported:
      return "model not supported";
    case kBusy:
      return "out of memory";
    default:
      return "internal error";
  }
}

}  // namespace

Attempt InstanceCall::Run(const Instance& instance, FileCache& models, LoadedFilePtr& model,
                          InstanceRecord& record) {
  start_ = absl::Now();
  const absl::StatusOr<LoadedFilePtr> loaded = models.Load(instance.model_path);
  const absl::StatusOr<LoadedFilePtr> query = LoadFile(instance.query_path);
  if (loaded.ok()) record.model_sha256 = (*loaded)->sha256;
  if (query.ok()) record.query_sha256 = (*query)->sha256;
  for (const auto* file : {&loaded, &query}) {
    if (file->ok()) continue;
    SetError("file not readable", std::string(file->status().message()), record);
    return {};
  }
  model = *loaded;
  return SendAndCall(*model, **query, record);
}

void InstanceCall::Cancel() {
  std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

Attempt InstanceCall::SendAndCall(const LoadedFile& model, const LoadedFile& query, InstanceRecord& record) {
  const absl::Time end = start_ + absl::Seconds(record.timeout_s);
  for (bool again = true;; again = false) {
    v1::VerifyRequest request;
    grpc::Status sent = link_.Send(model, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model(), end);
    if (sent.ok()) sent = link_.Send(query, v1::BLOB_KIND_VNNLIB_QUERY, *request.mutable_query(), end);
    if (sent.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
      return OutOfTime(/*accepted=*/false, TimedOut(), record);
    if (!sent.ok()) return Judge(sent, /*accepted=*/false, record);
    const Attempt attempt = Call(request, record);
    // Once more when the server has dropped what was uploaded before.
    if (!again || attempt.reason != "UNKNOWN_BLOB") return attempt;
    link_.ForgetUploads();
  }
}

Attempt InstanceCall::Call(v1::VerifyRequest& request, InstanceRecord& record) {
  request.set_device(device_);
  *request.mutable_options() = options_;
  grpc::ClientContext context;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (cancelled_) return {.kind = Kind::kCancelled};
    context_ = &context;
  }
  const VerifyOutcome outcome =
      CallVerify(link_.connection(), request, {.start = start_, .seconds = record.timeout_s}, context,
                 [this](const v1::VerifyEvent& event) {
                   if (event.has_progress()) on_progress_(event.progress());
                 });
  bool by_us = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    context_ = nullptr;
    by_us = cancelled_;
  }
  const bool cancelled = outcome.answered() && outcome.result.limit() == v1::LIMIT_CANCELLED;
  if (by_us && (cancelled || !outcome.answered())) return {.kind = Kind::kCancelled};
  if (cancelled) return Judge({grpc::StatusCode::UNAVAILABLE, "the server is ending"}, true, record);
  if (!outcome.answered()) return Judge(outcome.status, outcome.accepted, record);
  if (outcome.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    return OutOfTime(outcome.accepted, outcome.result, record);
  Answer(outcome.result, record);
  return {};
}

// The server keeps the limit itself; one that said nothing may be gone.
Attempt InstanceCall::OutOfTime(bool accepted, const v1::VerifyResult& result, InstanceRecord& record) {
  if (!link_.Answers()) {
    if (!link_.is_private()) return {.kind = Kind::kServerLost, .accepted = accepted};
    link_.Lost();  // it hangs: the next instance gets a new one
  }
  Answer(result, record);
  return {};
}

void InstanceCall::Answer(const v1::VerifyResult& result, InstanceRecord& record) const {
  record.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  SetAnswer(result, record);
}

Attempt InstanceCall::Judge(const grpc::Status& status, bool accepted, InstanceRecord& record) {
  record.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  const v1::ErrorDetail detail = DetailOf(status);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
      status.error_code() == grpc::StatusCode::CANCELLED) {
    if (!link_.is_private()) return {.kind = Kind::kServerLost, .accepted = accepted};
    SetError("server crashed", link_.connection().Explain(status), record);
    link_.Lost();
    return {};
  }
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && detail.retry_delay_s() > 0)
    return {.kind = Kind::kServerFull, .retry_delay_s = detail.retry_delay_s()};
  const bool option = detail.field() == "options" || detail.field() == "device";
  if (detail.reason() == "INVALID_REQUEST" && option)
    return {.kind = Kind::kWrongOption, .reason = status.error_message()};
  SetError(CauseOf(status), status.error_message(), record);
  return {.reason = detail.reason()};
}

}  // namespace espalier::client
