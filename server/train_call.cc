#include "server/train_call.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/core.h"

namespace espalier::server {

TrainCall* TrainCall::Start(Ticket ticket, Core& core, grpc::CallbackServerContext* context,
                            std::unique_ptr<TrainingJob> job) {
  auto* call = new TrainCall(std::move(ticket), core, std::move(job));
  Failure failure = call->Admit(absl::FromChrono(context->deadline()));
  if (!failure.ok()) call->End(std::move(failure));
  call->Open();
  return call;
}

Failure TrainCall::Admit(absl::Time call_deadline) {
  if (Failure failure = job_->Prepare(); !failure.ok()) return failure;
  if (Failure failure = job_->LimitMemory(core_.limits()); !failure.ok()) return failure;
  const int64_t memory = job_->memory_bytes();
  if (memory > 0) memory_.emplace_back("memory_limit_bytes", absl::StrCat(memory));
  stop_ = StopSource(call_deadline);
  const absl::StatusOr<int64_t> position = core_.searches().Submit({
      .owner = this,
      .run = [this] { Run(); },
      .abandon =
          [this](const absl::Status& why) {
            const bool late = why.code() == absl::StatusCode::kDeadlineExceeded;
            End({why, {.reason = late ? "" : "SHUTTING_DOWN"}});
          },
      .deadline = call_deadline,
      .client = ticket_.client,
      .memory_bytes = memory,
  });
  if (!position.ok()) return NotAdmitted(position.status());
  v1::Accepted accepted;
  accepted.set_queue_position(*position);
  buffer_.Accept(std::move(accepted));
  return {};
}

void TrainCall::Run() {
  TrainOutcome outcome;
  Failure failure = core_.engine().Train(std::move(job_), *this, stop_.token(), outcome);
  if (outcome.peak_bytes > 0) memory_.emplace_back("memory_peak_bytes", absl::StrCat(outcome.peak_bytes));
  if (failure.ok()) buffer_.PushResult(std::move(outcome.model), std::move(outcome.result));
  End(std::move(failure));
}

void TrainCall::OnProgress(v1::TrainProgress progress) {
  buffer_.Push(std::move(progress));
  Pump();
}

void TrainCall::OnCheckpoint(std::string bytes) {
  buffer_.PushCheckpoint(std::move(bytes));
  Pump();
}

void TrainCall::End(Failure failure) {
  ticket_.End(failure, memory_);
  if (!failure.ok()) buffer_.Close();
  Complete(std::move(failure));
}

void TrainCall::OnCancel() {
  stop_.Cancel();
  if (core_.searches().Remove(this))
    End({absl::CancelledError("cancelled while it waited in the queue"), {}});
}

}  // namespace espalier::server
