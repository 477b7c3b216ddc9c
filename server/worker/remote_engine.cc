#include "server/worker/remote_engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/log.h"
#include "server/training_job.h"
#include "server/worker/run_device.h"
#include "server/worker/worker_files.h"

namespace espalier::server {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(10);        // how soon a cancellation is passed on
constexpr absl::Duration kCheckpointGrace = absl::Seconds(10);  // of a search that saves what is left
constexpr size_t kPartBytes = size_t{1} << 20;

}  // namespace

// One run on one worker, from the server's side.
class RemoteEngine::Run {
 public:
  Run(Core& core, WorkerProcess& worker, const Sink& sink, StopToken stop, absl::Duration grace)
      : core_(core), worker_(worker), sink_(sink), stop_(std::move(stop)), grace_(grace) {}

  // Sends the run and follows it. False: the worker is of no use any more, see failure().
  bool Follow(const v1::WorkerInput& input, v1::WorkerDone& done) {
    if (!worker_.socket().Send(input)) return Died();
    v1::WorkerOutput output;
    while (true) {
      switch (worker_.socket().Receive(output, kPoll)) {
        case MessageSocket::Received::kClosed:
          return Died();
        case MessageSocket::Received::kNothingYet:
          break;
        case MessageSocket::Received::kMessage:
          if (output.has_done()) {
            done = std::move(*output.mutable_done());
            return true;
          }
          if (!Take(output)) return Died();
      }
      if (!PassStopOn()) return Died();
    }
  }
  const Failure& failure() const { return failure_; }

 private:
  bool Take(v1::WorkerOutput& output) {
    if (output.has_need()) return SendFile(output.need());
    if (sink_ != nullptr) sink_(output);
    return true;
  }

  bool SendFile(const std::string& sha256) {
    const BlobPtr blob = core_.FindBlob(sha256);
    v1::WorkerInput input;
    v1::WorkerBlobPart& part = *input.mutable_part();
    if (blob == nullptr) {
      part.set_missing(true);
      part.set_last(true);
      return worker_.socket().Send(input);
    }
    size_t sent = 0;
    do {
      part.set_bytes(blob->bytes.substr(sent, kPartBytes));
      sent += part.bytes().size();
      part.set_last(sent == blob->bytes.size());
      if (!worker_.socket().Send(input)) return false;
    } while (!part.last());
    return true;
  }

  // Asks the worker to stop when this is due, and kills it when it does not.
  bool PassStopOn() {
    const StopReason reason = stop_.Reason();
    if (reason == StopReason::kNone) return true;
    if (!stopping_since_) {
      stopping_since_ = absl::Now();
      if (reason == StopReason::kDeadline) return true;  // which it keeps by itself
      v1::WorkerInput input;
      input.set_cancel(true);
      return worker_.socket().Send(input);
    }
    if (absl::Now() - *stopping_since_ < grace_) return true;
    killed_ = true;
    worker_.Kill();
    return false;
  }

  bool Died() {
    const std::string end = worker_.DescribeEnd();
    core_.counters().CountDeadWorker();
    Log(LogLevel::kError, {{"event", "worker-died"}, {"pid", absl::StrCat(worker_.pid())}, {"how", end}});
    if (killed_) {
      const std::string text = absl::StrCat("the worker process did not stop within ",
                                            absl::FormatDuration(grace_), " and was killed");
      const bool late = stop_.Reason() == StopReason::kDeadline;
      failure_ = late ? absl::DeadlineExceededError(text) : absl::CancelledError(text);
    } else {
      failure_ = {absl::InternalError(absl::StrCat("the worker process of this call ", end)),
                  {.reason = "WORKER_DIED"}};
    }
    return false;
  }

  Core& core_;
  WorkerProcess& worker_;
  const Sink& sink_;
  const StopToken stop_;
  const absl::Duration grace_;
  std::optional<absl::Time> stopping_since_;
  bool killed_ = false;  // by this object
  Failure failure_;
};

RemoteEngine::RemoteEngine(Core& core, std::vector<std::string> arguments, int idle)
    : core_(core),
      cards_(static_cast<int64_t>(GetCapabilities().devices.size()) - 1,
             [this] { core_.readiness().AskAgain(); }),
      pool_(std::move(arguments), idle) {
  if (cards_.count() < 1) return;
  core_.readiness().Ask([this] { return CardTrouble(); });
  doctor_.emplace(cards_, [this](CardLeases::Lease& card, const StopToken& stop) { Examine(card, stop); });
}

RemoteEngine::~RemoteEngine() {
  core_.readiness().Ask(nullptr);
}

std::string RemoteEngine::CardTrouble() const {
  const std::vector<CardLeases::Failure> failures = cards_.Failures();
  if (static_cast<int64_t>(failures.size()) < cards_.count()) return "";
  const auto name = [](std::string* out, const CardLeases::Failure& failure) {
    absl::StrAppend(out, DeviceName(failure.card + 1));
  };
  return absl::StrCat("device failed: ", absl::StrJoin(failures, ", ", name));
}

void RemoteEngine::Examine(CardLeases::Lease& card, const StopToken& stop) {
  v1::WorkerRun run;
  run.mutable_probe()->set_device(DeviceName(card.card() + 1));
  v1::WorkerDone done;
  const Failure failure = OnWorker(run, nullptr, stop, "", &card, done);
  if (stop.StopRequested()) return;
  Log(failure.ok() ? LogLevel::kInfo : LogLevel::kWarning,
      {{"event", "device-examined"},
       {"device", DeviceName(card.card() + 1)},
       {"result", failure.ok() ? "works" : std::string(failure.status().message())}});
}

Failure RemoteEngine::Execute(v1::WorkerRun& run, const Sink& sink, StopToken stop, v1::WorkerDone& done) {
  // What is named by digest is looked up here, so that it stays while the worker needs it; what is carried
  // goes along.
  std::vector<BlobPin> pins;
  std::string model;
  for (const FileField& file : FilesOf(run)) {
    if (!file.blob->has_sha256()) continue;
    v1::Blob source = *file.blob;
    if (Failure failure = core_.Claim(source, file.field, Core::Keep::kWhileUsed, pins.emplace_back());
        !failure.ok())
      return failure;
    if (model.empty()) model = source.sha256();
  }
  std::optional<CardLeases::Lease> card;
  if (Failure failure = TakeCard(run, stop, card); !failure.ok()) return failure;
  return OnWorker(run, sink, stop, model, card ? &*card : nullptr, done);
}

Failure RemoteEngine::OnWorker(v1::WorkerRun& run, const Sink& sink, const StopToken& stop,
                               const std::string& model, CardLeases::Lease* card, v1::WorkerDone& done) {
  absl::StatusOr<std::unique_ptr<WorkerProcess>> worker = pool_.Take(model);
  if (!worker.ok()) return {worker.status(), {.reason = "WORKER_DIED", .retry_delay_s = kRetryDelaySeconds}};
  const bool trains = run.has_train() || run.has_graft() || run.has_compare();
  const bool saves = run.checkpoint_s() > 0;
  v1::WorkerInput input;
  if (stop.deadline() != absl::InfiniteFuture())
    run.set_time_left_s(std::max(1e-9, absl::ToDoubleSeconds(stop.deadline() - absl::Now())));
  *input.mutable_run() = std::move(run);
  Run following(core_, **worker, sink, stop, trains ? kTrainingGrace : saves ? kCheckpointGrace : kGrace);
  if (!following.Follow(input, done)) {
    pool_.Discard(*std::move(worker));
    return following.failure();
  }
  Failure failure = done.has_error() ? FromDetails(done.error()) : Failure();
  if (failure.context().reason == kDeviceLostReason) {
    Log(LogLevel::kError, {{"event", "device-lost"},
                           {"pid", absl::StrCat((*worker)->pid())},
                           {"how", std::string(failure.status().message())}});
    pool_.Discard(*std::move(worker));  // before others learn of it
    if (card != nullptr) card->Fail(std::string(failure.status().message()));
  } else {
    if (card != nullptr && failure.ok()) card->Worked();
    pool_.Return(*std::move(worker), done.resident_bytes());
  }
  return failure;
}

Failure RemoteEngine::TakeCard(v1::WorkerRun& run, const StopToken& stop,
                               std::optional<CardLeases::Lease>& lease) {
  const RunDevice device = DeviceOf(run);
  if (device.number < 1 || device.number > cards_.count()) return {};
  std::optional<CardLeases::Lease> taken =
      cards_.Take(device.any ? CardLeases::kAnyCard : device.number - 1, stop);
  if (taken) {
    SetCard(run, taken->card());
    lease.emplace(*std::move(taken));
    return {};
  }
  if (stop.Reason() == StopReason::kDeadline)
    return absl::DeadlineExceededError("the time was over before a card was free");
  return absl::CancelledError("cancelled while it waited for a card");
}

Failure RemoteEngine::Verify(const v1::VerifyRequest& request, const Continuation& continuation,
                             VerifyListener& listener, StopToken stop, v1::VerifyResult& result) {
  v1::WorkerRun run;
  *run.mutable_verify() = request;
  run.set_resume(continuation.resume);
  run.set_checkpoint_s(continuation.checkpoint_s);
  v1::WorkerDone done;
  std::string checkpoint;
  const Sink sink = [&](v1::WorkerOutput& output) {
    if (output.has_checkpoint()) {
      checkpoint += output.checkpoint().bytes();
      if (output.checkpoint().last()) listener.OnCheckpoint(std::exchange(checkpoint, ""));
    }
    if (output.event().has_progress())
      listener.OnProgress(std::move(*output.mutable_event()->mutable_progress()));
    if (output.event().has_refuted()) listener.OnRefuted(output.event().refuted());
  };
  Failure failure = Execute(run, sink, stop, done);
  if (failure.status().code() == absl::StatusCode::kDeadlineExceeded) {
    result.set_answer(v1::ANSWER_UNKNOWN);
    result.set_limit(v1::LIMIT_TIME);
    result.set_reason(std::string(failure.status().message()));
    return {};
  }
  if (!failure.ok()) return failure;
  result = std::move(*done.mutable_verify());
  (*result.mutable_statistics()->mutable_counters())["memory_peak_bytes"] = done.peak_bytes();
  return {};
}

Failure RemoteEngine::Bounds(const v1::BoundsRequest& request, StopToken stop, v1::BoundsResponse& response) {
  v1::WorkerRun run;
  *run.mutable_bounds() = request;
  v1::WorkerDone done;
  Failure failure = Execute(run, nullptr, stop, done);
  response = std::move(*done.mutable_bounds());
  return failure;
}

Failure RemoteEngine::Describe(const v1::DescribeModelRequest& request, StopToken stop,
                               v1::DescribeModelResponse& response) {
  v1::WorkerRun run;
  *run.mutable_describe() = request;
  v1::WorkerDone done;
  Failure failure = Execute(run, nullptr, stop, done);
  response = std::move(*done.mutable_describe());
  return failure;
}

Failure RemoteEngine::Evaluate(const v1::EvaluateRequest& request, StopToken stop,
                               v1::EvaluateResponse& response) {
  v1::WorkerRun run;
  *run.mutable_evaluate() = request;
  v1::WorkerDone done;
  Failure failure = Execute(run, nullptr, stop, done);
  response = std::move(*done.mutable_evaluate());
  return failure;
}

Failure RemoteEngine::Train(std::unique_ptr<TrainingJob> job, TrainListener& listener, StopToken stop,
                            TrainOutcome& outcome) {
  v1::WorkerRun run = job->Message();
  job.reset();  // its bytes are the worker's to hold now
  std::string checkpoint;
  const Sink sink = [&](v1::WorkerOutput& output) {
    v1::TrainEvent& event = *output.mutable_training();
    if (event.has_progress()) {
      listener.OnProgress(std::move(*event.mutable_progress()));
    } else if (event.has_checkpoint()) {
      checkpoint += event.checkpoint().bytes();
      if (event.checkpoint().last()) listener.OnCheckpoint(std::exchange(checkpoint, ""));
    } else if (event.has_model()) {
      outcome.model += event.model().bytes();
    } else if (event.event_case() != v1::TrainEvent::EVENT_NOT_SET) {
      outcome.result = std::move(event);
    }
  };
  v1::WorkerDone done;
  Failure failure = Execute(run, sink, stop, done);
  outcome.peak_bytes = done.peak_bytes();
  return failure;
}

}  // namespace espalier::server
