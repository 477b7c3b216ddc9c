#include "server/jobs/watch_call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/jobs/job_errors.h"

namespace espalier::server {
namespace {

constexpr int64_t kEventsAtOnce = 100;

}  // namespace

WatchCall::WatchCall(Ticket ticket, JobRunner& jobs, const v1::WatchRequest& request)
    : ticket_(std::move(ticket)),
      jobs_(jobs),
      job_id_(request.job_id()),
      next_(std::max<int64_t>(1, request.from_sequence())) {}

WatchCall* WatchCall::Start(Ticket ticket, JobRunner& jobs, const v1::WatchRequest& request,
                            Failure refused) {
  auto* call = new WatchCall(std::move(ticket), jobs, request);
  // Before the first look into the store, so that no event falls between the two.
  call->subscription_ = jobs.feed().Subscribe(request.job_id(), [call] { call->Pump(); });
  if (!refused.ok()) {
    call->Complete(std::move(refused));
  } else if (request.from_sequence() < 0) {
    call->Complete(BadJobRequest("from_sequence", "not below 0"));
  }
  call->Open();
  return call;
}

WatchCall::~WatchCall() {
  jobs_.feed().Unsubscribe(subscription_);
}

std::optional<v1::JobEvent> WatchCall::NextEvent(bool failed) {
  if (failed || finished_ || !failure_.ok()) return std::nullopt;
  if (read_.empty()) {
    absl::StatusOr<std::vector<v1::JobEvent>> events = jobs_.store().Events(job_id_, next_, kEventsAtOnce);
    if (!events.ok()) {
      failure_ = StoreFailure(events.status());
      return std::nullopt;
    }
    for (v1::JobEvent& event : *events) read_.push_back(std::move(event));
  }
  if (read_.empty()) {
    // The client asked for numbers behind the last event of a job that has ended.
    if (next_ > 1) {
      const absl::StatusOr<v1::Job> job = jobs_.store().Get(job_id_);
      if (job.ok() && job->finished_s() > 0 && job->last_sequence() < next_) finished_ = true;
    }
    return std::nullopt;
  }
  v1::JobEvent event = std::move(read_.front());
  read_.pop_front();
  next_ = event.sequence() + 1;
  finished_ = event.has_finished();
  return event;
}

bool WatchCall::AtEnd(Failure& failure) {
  if (!failure_.ok()) failure = failure_;
  if (failure_.ok() && !finished_ && jobs_.feed().closed())
    failure = {absl::UnavailableError("the server is shutting down; watch the job again from the next event"),
               {.reason = "SHUTTING_DOWN", .retry_delay_s = kRetryDelaySeconds}};
  return finished_ || !failure.ok();
}

void WatchCall::OnCancel() {
  Complete({absl::CancelledError("the watcher has gone; the job goes on"), {}});
}

}  // namespace espalier::server
