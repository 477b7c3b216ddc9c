// `espalier watch`.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/job_commands.h"
#include "client/job_text.h"
#include "client/progress_view.h"
#include "client/verdict_text.h"

namespace espalier::client {
namespace {

// Follows one job over as many connections as it takes.
class JobWatch {
 public:
  JobWatch(Connection& connection, InterruptWatch& interrupts, const WatchArguments& arguments)
      : connection_(connection),
        interrupts_(interrupts),
        arguments_(arguments),
        next_(std::max<int64_t>(1, arguments.from)),
        view_(arguments.quiet || arguments.json ? ProgressView::Style::kQuiet
                                                : ProgressView::StyleOf(STDERR_FILENO),
              ProgressView::WidthOf(STDERR_FILENO)) {}

  ExitCode Run() {
    absl::Time heard = absl::Now();
    absl::Duration pause = kShortestPause;
    while (true) {
      const int64_t before = next_;
      const grpc::Status status = Follow();
      Say(view_.Clear());
      if (interrupts_.interrupted()) return kInterrupted;
      if (finished_) return Publish();
      if (status.ok()) return kDone;  // it had ended before the first event that was asked for
      if (!Away(status)) return ReportError(connection_, status);
      if (next_ != before) {
        heard = absl::Now();
        pause = kShortestPause;
      }
      if (absl::Now() - heard > absl::Seconds(arguments_.patience_s)) return ReportError(connection_, status);
      if (!arguments_.quiet) Say(absl::StrCat("; the server is away, trying again from event ", next_, "\n"));
      absl::SleepFor(pause);
      pause = std::min(2 * pause, kLongestPause);
    }
  }

 private:
  static constexpr absl::Duration kShortestPause = absl::Milliseconds(200);
  static constexpr absl::Duration kLongestPause = absl::Seconds(5);

  static void Say(const std::string& text) { std::fputs(text.c_str(), stderr); }

  // A server that goes down ends its streams in one of these ways.
  static bool Away(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
           status.error_code() == grpc::StatusCode::CANCELLED;
  }

  grpc::Status Follow() {
    v1::WatchRequest request;
    request.set_job_id(arguments_.job_id);
    request.set_from_sequence(next_);
    grpc::ClientContext context;
    connection_.Prepare(context);
    interrupts_.OnInterrupt([&context] { context.TryCancel(); });
    const auto reader = connection_.stub().Watch(&context, request);
    v1::JobEvent event;
    while (reader->Read(&event)) {
      next_ = event.sequence() + 1;
      Show(event);
      if (event.has_finished()) finished_ = event.finished();
    }
    grpc::Status status = reader->Finish();
    interrupts_.OnInterrupt(nullptr);
    return status;
  }

  void Show(const v1::JobEvent& event) {
    if (arguments_.json) {
      std::fputs(Json(event).c_str(), stdout);
      std::fflush(stdout);
    } else if (event.has_started()) {
      started_s_ = event.time_s();
      if (!arguments_.quiet && event.started().attempt() > 1)
        Say(absl::StrCat("; attempt ", event.started().attempt(), "\n"));
    } else if (event.has_progress()) {
      Say(view_.Show(event.progress(), event.time_s() - started_s_));
    } else if (event.has_queued() && !event.queued().reason().empty() && !arguments_.quiet) {
      Say(absl::StrCat("; queued again: ", event.queued().reason(), "\n"));
    }
  }

  ExitCode Publish() {
    const bool failed = finished_->state() == v1::JOB_STATE_FAILED;
    const v1::StatusDetails& error = finished_->error();
    if (failed) Say(absl::StrCat("espalier: ", error.message(), "\n"));
    if (arguments_.json) {
      // Every event has been printed, the last one among them.
    } else if (finished_->state() == v1::JOB_STATE_CANCELLED) {
      std::puts("cancelled");
    } else if (!failed) {
      if (!finished_->result().reason().empty()) Say(absl::StrCat("; ", finished_->result().reason(), "\n"));
      std::fputs(StandardOutput(finished_->result()).c_str(), stdout);
    }
    return failed ? ExitCodeOf({static_cast<grpc::StatusCode>(error.code()), error.message()}) : kDone;
  }

  Connection& connection_;
  InterruptWatch& interrupts_;
  const WatchArguments& arguments_;
  int64_t next_;
  double started_s_ = 0;
  ProgressView view_;
  std::optional<v1::JobFinished> finished_;
};

}  // namespace

ExitCode RunWatch(Connection& connection, InterruptWatch& interrupts, const WatchArguments& arguments) {
  return JobWatch(connection, interrupts, arguments).Run();
}

}  // namespace espalier::client
