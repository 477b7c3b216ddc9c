#include "server/jobs/job_runner.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/event_buffer.h"
#include "server/jobs/job_errors.h"
#include "server/log.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr size_t kMaxRequestId = 128;
constexpr size_t kMaxLabel = 256;

const char* NameOfEnd(v1::JobState state) {
  if (state == v1::JOB_STATE_DONE) return "done";
  return state == v1::JOB_STATE_FAILED ? "failed" : "cancelled";
}

// Writes a run's progress into the job's log: at most five times a second, less often the longer it runs, so
// that a log stays short without having gaps.
class LogListener final : public VerifyListener {
 public:
  LogListener(JobStore& store, CheckpointStore& checkpoints, JobFeed& feed, std::string id)
      : store_(store), checkpoints_(checkpoints), feed_(feed), id_(std::move(id)) {
    buffer_.Accept({});
    buffer_.Next(start_);
  }

  void OnProgress(v1::Progress progress) override {
    buffer_.Push(std::move(progress));
    if (absl::Now() >= due_) Flush();
  }
  void OnRefuted(const v1::DisjunctsRefuted& refuted) override {
    for (const int64_t index : refuted.index()) buffer_.PushRefuted(index);
    if (absl::Now() >= due_) Flush();
  }
  // Without it the job only loses time.
  void OnCheckpoint(const std::string& bytes) override {
    if (absl::Status status = checkpoints_.Write(id_, bytes); !status.ok())
      Log(LogLevel::kError, {{"job", id_}, {"error", std::string(status.message())}});
  }
  // Refuted parts that have not been written yet.
  void Finish() {
    buffer_.PushResult({});
    Flush();
  }

 private:
  void Flush() {
    const absl::Time now = absl::Now();
    std::vector<v1::JobEvent> events;
    while (std::optional<v1::VerifyEvent> event = buffer_.Next(now)) {
      if (event->has_progress())
        *events.emplace_back().mutable_progress() = std::move(*event->mutable_progress());
      if (event->has_refuted())
        *events.emplace_back().mutable_refuted() = std::move(*event->mutable_refuted());
    }
    if (events.empty()) return;
    due_ = now + std::clamp((now - start_) / 100, EventBuffer::kInterval, absl::Seconds(10));
    if (absl::Status status = store_.Append(id_, std::move(events)); !status.ok()) {
      Log(LogLevel::kError, {{"job", id_}, {"error", std::string(status.message())}});
      return;
    }
    feed_.Notify(id_);
  }

  JobStore& store_;
  CheckpointStore& checkpoints_;
  JobFeed& feed_;
  const std::string id_;
  const absl::Time start_ = absl::Now();
  absl::Time due_ = absl::InfinitePast();
  EventBuffer buffer_;
};

}  // namespace

struct JobRunner::ActiveJob {
  std::string id, client;
  std::string traceparent;  // of the Submit; empty after a restart
  Verification verification;
  StopSource stop;
  std::atomic<bool> cancelled = false;  // by Cancel, not by Suspend
};

void JobRunner::LogJob(const ActiveJob& job, const char* event, const LogFields& more) {
  LogFields fields = {{"job", job.id}, {"event", event}, {"client", job.client}};
  if (!job.traceparent.empty()) fields.emplace_back("traceparent", job.traceparent);
  fields.insert(fields.end(), more.begin(), more.end());
  Log(LogLevel::kInfo, fields);
}

absl::Status JobRunner::Recover() {
  for (const std::string& id : checkpoints_.Jobs()) {
    // Left by a server that was killed between a job's end, or its deletion, and this.
    const absl::StatusOr<v1::Job> job = store_.Get(id);
    const bool answered = job.ok() && job->has_result() && job->result().answer() != v1::ANSWER_UNKNOWN;
    if (answered || absl::IsNotFound(job.status())) checkpoints_.Remove(id);
  }
  ESPALIER_ASSIGN_OR_RETURN(const std::vector<JobStore::Unfinished> unfinished, store_.FindUnfinished());
  for (const JobStore::Unfinished& left : unfinished) {
    auto job = std::make_shared<ActiveJob>();
    job->id = left.id;
    job->client = left.client;
    Failure failure;
    v1::JobFinished finished;
    if (left.cancelled) {
      finished.set_state(v1::JOB_STATE_CANCELLED);
    } else {
      failure = job->verification.Prepare(core_, left.request, Core::Keep::kInStore);
    }
    if (!failure.ok()) {
      finished.set_state(v1::JOB_STATE_FAILED);
      *finished.mutable_error() = failure.ToDetails();
    }
    if (finished.state() != v1::JOB_STATE_UNSPECIFIED) {
      ESPALIER_RETURN_IF_ERROR(store_.Finish(left.id, finished));
      continue;
    }
    if (left.running)
      ESPALIER_RETURN_IF_ERROR(store_.Requeue(left.id, "the server ended while the job was running"));
    LogJob(*job, "recovered");
    Enqueue(job);
  }
  return absl::OkStatus();
}

Failure JobRunner::Admit(const std::string& client) const {
  if (suspended_) return NotAdmitted(absl::UnavailableError("the server is shutting down"));
  const Limits& limits = core_.limits();
  if (static_cast<int64_t>(active_.size()) >= limits.max_jobs + limits.concurrency)
    return NotAdmitted(
        absl::ResourceExhaustedError(absl::StrCat(active_.size(), " jobs wait or run already")));
  const auto own = active_of_.find(client);
  if (limits.max_jobs_client > 0 && own != active_of_.end() && own->second >= limits.max_jobs_client) {
    return NotAdmitted(
        absl::ResourceExhaustedError(absl::StrCat(own->second, " jobs of this client wait or run already")));
  }
  return {};
}

Failure JobRunner::Inherit(const Ticket& ticket, v1::SubmitRequest& request) {
  const std::string& id = request.continue_job_id();
  if (id.empty()) return {};
  const absl::StatusOr<v1::Job> old = store_.Get(id);
  if (!old.ok()) return StoreFailure(old.status());
  if (!ticket.admin && old->client() != ticket.client) {
    return {absl::PermissionDeniedError("the job belongs to another client"),
            {.reason = "NOT_YOUR_JOB", .field = "continue_job_id"}};
  }
  if (old->state() == v1::JOB_STATE_QUEUED || old->state() == v1::JOB_STATE_RUNNING)
    return StoreFailure(absl::FailedPreconditionError("the job has not ended"));
  if (!checkpoints_.Has(id)) {
    return {absl::FailedPreconditionError("the job left nothing to go on from"),
            {.reason = "NO_CHECKPOINT", .field = "continue_job_id"}};
  }
  v1::VerifyRequest verify = old->verify();
  verify.MergeFrom(request.verify());
  *request.mutable_verify() = std::move(verify);
  return {};
}

Failure JobRunner::Delete(const std::string& id) {
  absl::Status deleted = store_.Delete(id);
  if (deleted.ok()) checkpoints_.Remove(id);
  return StoreFailure(deleted);
}

Failure JobRunner::Submit(const Ticket& ticket, const v1::SubmitRequest& request,
                          v1::SubmitResponse& response) {
  const std::string& client = ticket.client;
  if (request.request_id().size() > kMaxRequestId)
    return BadJobRequest("request_id", absl::StrCat("at most ", kMaxRequestId, " bytes"));
  if (request.label().size() > kMaxLabel)
    return BadJobRequest("label", absl::StrCat("at most ", kMaxLabel, " bytes"));
  if (!request.has_verify() && request.continue_job_id().empty()) return BadJobRequest("verify", "required");
  // A retry is answered even when there would be no room for another job, or its files have gone.
  const absl::StatusOr<std::string> known = store_.FindRequest(client, request.request_id());
  if (!known.ok()) return StoreFailure(known.status());
  if (!known->empty()) {
    response.set_job_id(*known);
    response.set_already_known(true);
    return {};
  }
  v1::SubmitRequest stored = request;
  if (Failure failure = Inherit(ticket, stored); !failure.ok()) return failure;
  auto job = std::make_shared<ActiveJob>();
  job->client = client;
  job->traceparent = ticket.traceparent;
  if (Failure failure = job->verification.Prepare(core_, stored.verify(), Core::Keep::kInStore);
      !failure.ok())
    return failure;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (Failure failure = Admit(client); !failure.ok()) return failure;
  }
  *stored.mutable_verify() = job->verification.request();
  const absl::StatusOr<JobStore::Inserted> inserted = store_.Insert(client, stored);
  if (!inserted.ok()) return StoreFailure(inserted.status());
  response.set_job_id(inserted->id);
  response.set_already_known(inserted->known);
  if (inserted->known) return {};
  job->id = inserted->id;
  if (!request.continue_job_id().empty()) {
    if (absl::Status copied = checkpoints_.Copy(request.continue_job_id(), job->id); !copied.ok())
      Log(LogLevel::kError, {{"job", job->id}, {"error", std::string(copied.message())}});
  }
  LogJob(*job, "submitted", {{"label", request.label()}});
  Enqueue(job);
  return {};
}

void JobRunner::Enqueue(const JobPtr& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    active_[job->id] = job;
    ++active_of_[job->client];
  }
  // Refused only by a server that is closing; then the job waits on disk.
  const auto position = core_.searches().Submit({
      .owner = job.get(),
      .run = [this, job] { Run(job); },
      .abandon = [](const absl::Status&) {},
      .client = job->client,
      .memory_bytes = job->verification.memory_bytes(),
      .counted = false,
  });
  if (!position.ok()) LogJob(*job, "waits for the next server");
}

void JobRunner::Run(const JobPtr& job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (suspended_) return;  // it is queued on disk
    ++running_;
  }
  const absl::StatusOr<int32_t> attempt = store_.Start(job->id);
  Failure failure = attempt.ok() ? Failure() : StoreFailure(attempt.status());
  v1::VerifyResult result;
  if (failure.ok()) {
    LogJob(*job, "started", {{"attempt", absl::StrCat(*attempt)}});
    feed_.Notify(job->id);
    const absl::Time start = absl::Now();
    const double timeout_s = job->verification.request().options().timeout_s();
    LogListener listener(store_, checkpoints_, feed_, job->id);
    Continuation continuation;
    continuation.resume = checkpoints_.Read(job->id);
    continuation.checkpoint_s = core_.limits().checkpoint_s;
    failure = job->verification.Run(core_, listener,
                                    job->stop.token().WithDeadline(start + absl::Seconds(timeout_s)), start,
                                    result, continuation);
    listener.Finish();
  }
  const bool undecided = !failure.ok() || result.answer() == v1::ANSWER_UNKNOWN;
  const bool suspended = job->stop.token().Reason() == StopReason::kCancelled && !job->cancelled;
  if (undecided && suspended) {
    PutBack(job);
  } else {
    End(job, Outcome(*job, failure, std::move(result)));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  --running_;
  changed_.notify_all();
}

v1::JobFinished JobRunner::Outcome(const ActiveJob& job, const Failure& failure,
                                   v1::VerifyResult result) const {
  v1::JobFinished finished;
  const bool undecided = !failure.ok() || result.answer() == v1::ANSWER_UNKNOWN;
  if (job.cancelled && undecided) {
    finished.set_state(v1::JOB_STATE_CANCELLED);
  } else if (failure.ok()) {
    finished.set_state(v1::JOB_STATE_DONE);
    *finished.mutable_result() = std::move(result);
  } else {
    finished.set_state(v1::JOB_STATE_FAILED);
    *finished.mutable_error() = failure.ToDetails();
  }
  return finished;
}

void JobRunner::End(const JobPtr& job, const v1::JobFinished& finished) {
  const absl::Status written = store_.Finish(job->id, finished);
  // With an answer there is nothing left to go on with; without one, Submit may name the job.
  const bool answered = finished.has_result() && finished.result().answer() != v1::ANSWER_UNKNOWN;
  if (written.ok() && answered) checkpoints_.Remove(job->id);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    active_.erase(job->id);
    if (--active_of_[job->client] == 0) active_of_.erase(job->client);
  }
  // Without its last event the job is one of a server that was killed: the next one runs it again.
  if (!written.ok()) {
    Log(LogLevel::kError, {{"job", job->id}, {"error", std::string(written.message())}});
  } else {
    const char* const end = NameOfEnd(finished.state());
    core_.counters().CountJob(end);
    LogFields fields = {{"end", end}};
    if (finished.has_result()) fields = Verification::LogFieldsOf(finished.result());
    if (finished.has_error()) fields.emplace_back("message", finished.error().message());
    LogJob(*job, "finished", fields);
  }
  feed_.Notify(job->id);
}

void JobRunner::PutBack(const JobPtr& job) {
  if (absl::Status status = store_.Requeue(job->id, "the server was shut down while the job was running");
      !status.ok()) {
    Log(LogLevel::kError, {{"job", job->id}, {"error", std::string(status.message())}});
    return;
  }
  LogJob(*job, "put back");
  feed_.Notify(job->id);
}

Failure JobRunner::Cancel(const std::string& id, v1::CancelResponse& response) {
  JobPtr job;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = active_.find(id);
    if (found != active_.end()) job = found->second;
  }
  if (job != nullptr) {
    if (absl::Status status = store_.MarkCancelled(id); !status.ok()) return StoreFailure(status);
    job->cancelled = true;
    job->stop.Cancel();
    if (core_.searches().Remove(job.get())) {
      v1::JobFinished finished;
      finished.set_state(v1::JOB_STATE_CANCELLED);
      End(job, finished);
    }
  }
  const absl::StatusOr<v1::Job> now = store_.Get(id);
  if (!now.ok()) return StoreFailure(now.status());
  response.set_state(now->state());
  return {};
}

void JobRunner::Suspend(absl::Time deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  suspended_ = true;
  const auto idle = [this] { return running_ == 0; };
  if (!changed_.wait_until(lock, absl::ToChronoTime(deadline), idle)) {
    for (const auto& [id, job] : active_) job->stop.Cancel();
    // Who does not stop in time is one of a server that was killed: the next one runs it again.
    changed_.wait_for(lock, std::chrono::seconds(12), idle);
  }
  lock.unlock();
  feed_.Close();
}

}  // namespace espalier::server
