#include "server/train_call.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/convert_training.h"
#include "server/core.h"
#include "server/log.h"

namespace espalier::server {

TrainCall* TrainCall::Start(const char* rpc, WorkQueue& queue, grpc::CallbackServerContext* context,
                            std::unique_ptr<TrainingJob> job) {
  auto* call = new TrainCall(rpc, queue, std::move(job));
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

Failure TrainCall::Admit(absl::Time call_deadline) {
  if (Failure failure = job_->Prepare(); !failure.ok()) return failure;
  stop_ = StopSource(call_deadline);
  const absl::StatusOr<int64_t> position = queue_.Submit({
      .owner = this,
      .run = [this] { Run(); },
      .abandon =
          [this](const absl::Status& why) {
            const bool late = why.code() == absl::StatusCode::kDeadlineExceeded;
            Complete({why, {.reason = late ? "" : "SHUTTING_DOWN"}});
          },
      .deadline = call_deadline,
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

void TrainCall::Run() {
  TrainHooks hooks;
  hooks.progress = [this](const api::TrainProgress& progress) {
    buffer_.Push(proto::ToProto(progress));
    Pump();
  };
  hooks.checkpoint = [this](const std::string& bytes) {
    buffer_.PushCheckpoint(bytes);
    Pump();
  };
  TrainingJob::Outcome outcome;
  Failure failure = job_->Run(std::move(hooks), stop_.token(), outcome);
  job_.reset();
  if (failure.ok()) buffer_.PushResult(std::move(outcome.model), std::move(outcome.result));
  Complete(std::move(failure));
}

void TrainCall::Complete(Failure failure) {
  Log(failure.ok() ? LogLevel::kInfo : LogLevel::kWarning,
      {{"rpc", rpc_},
       {"code", absl::StatusCodeToString(failure.status().code())},
       {"seconds", absl::StrCat(absl::ToDoubleSeconds(absl::Now() - arrival_))},
       {"message", std::string(failure.status().message())}});
  if (!failure.ok()) buffer_.Close();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    failure_ = std::move(failure);
    completed_ = true;
  }
  Pump();
}

void TrainCall::Pump() {
  bool finish = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!admitted_ || writing_ || finished_) return;
    std::optional<v1::TrainEvent> next;
    if (!broken_) next = buffer_.Next(absl::Now());
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

void TrainCall::OnWriteDone(bool ok) {
  if (!ok) stop_.Cancel();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
  }
  Pump();
}

void TrainCall::OnCancel() {
  stop_.Cancel();
  if (queue_.Remove(this)) Complete({absl::CancelledError("cancelled while it waited in the queue"), {}});
}

}  // namespace espalier::server
