#include "client/training_run.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/atomic_file.h"
#include "client/file_bytes.h"
#include "client/training_view.h"

namespace espalier::client {
namespace {

void Say(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

bool Exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

}  // namespace

ExitCode TrainingRun::Begin(v1::Blob& blob) {
  for (const std::string& path : {settings_.output, CheckpointPath()}) {
    if (const absl::Status status = CheckWritable(path); !status.ok()) return ReportError(status);
  }
  if (!settings_.resume || !Exists(CheckpointPath())) return kDone;
  const ExitCode sent = SendFile(connection_, CheckpointPath(), v1::BLOB_KIND_CHECKPOINT, blob);
  if (sent != kDone) return sent;
  resumed_ = true;
  Say(absl::StrCat("; going on from '", CheckpointPath(), "'; --no-resume starts over\n"));
  return kDone;
}

absl::Status TrainingRun::Take(v1::TrainEvent& event) {
  switch (event.event_case()) {
    case v1::TrainEvent::kCheckpoint:
      checkpoint_ += event.checkpoint().bytes();
      if (event.checkpoint().last() && !settings_.output.empty()) {
        const std::string bytes = std::exchange(checkpoint_, "");
        return WriteFileAtomically(CheckpointPath(), bytes);
      }
      break;
    case v1::TrainEvent::kModel:
      model_ += event.model().bytes();
      break;
    case v1::TrainEvent::kTrained:
    case v1::TrainEvent::kGrafted:
    case v1::TrainEvent::kDifference:
      result_ = std::move(event);
      break;
    case v1::TrainEvent::kAccepted:
      if (event.accepted().queue_position() > 0 && !settings_.quiet)
        Say(absl::StrCat("; the server is busy: number ", event.accepted().queue_position(),
                         " in its queue\n"));
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

ExitCode TrainingRun::Follow(const Call& call) {
  TrainingView view(settings_.quiet ? ProgressView::Style::kQuiet : ProgressView::StyleOf(STDERR_FILENO),
                    ProgressView::WidthOf(STDERR_FILENO));
  grpc::ClientContext context;
  connection_.Prepare(context);
  interrupts_.OnInterrupt([&context] { context.TryCancel(); });
  const Reader reader = call(&context);
  absl::Status written;
  v1::TrainEvent event;
  while (reader->Read(&event)) {
    if (event.has_progress()) Say(view.Show(event.progress()));
    if (written.ok()) written = Take(event);
    // Work whose checkpoints cannot be kept would be lost; what was kept so far is not.
    if (!written.ok()) context.TryCancel();
  }
  const grpc::Status status = reader->Finish();
  interrupts_.OnInterrupt(nullptr);
  Say(view.End());
  if (!written.ok()) {
    const ExitCode code = ReportError(written);
    Say(HowToGoOn());
    return code;
  }
  if (!status.ok()) return Fail(status);
  if (result_.event_case() == v1::TrainEvent::EVENT_NOT_SET)
    return ReportError(connection_, {grpc::StatusCode::INTERNAL, "the server ended without a result"});
  if (settings_.output.empty()) return kDone;
  if (const absl::Status saved = WriteFileAtomically(settings_.output, model_); !saved.ok()) {
    const ExitCode code = ReportError(saved);
    Say(HowToGoOn());
    return code;
  }
  return kDone;
}

ExitCode TrainingRun::Fail(const grpc::Status& status) const {
  if (interrupts_.interrupted()) {
    Say("espalier: interrupted\n");
    Say(HowToGoOn());
    return kInterrupted;
  }
  const ExitCode code = ReportError(connection_, status);
  const bool refused = status.error_code() == grpc::StatusCode::INVALID_ARGUMENT;
  if (resumed_ && refused) {
    Say(absl::StrCat("; '", CheckpointPath(), "' is kept; --no-resume starts over and replaces it\n"));
  } else if (status.error_code() == grpc::StatusCode::ABORTED && Exists(CheckpointPath())) {
    Say(absl::StrCat("; '", CheckpointPath(),
                     "' holds the last good epoch; with other options, --no-resume starts over\n"));
  } else if (!refused) {
    Say(HowToGoOn());
  }
  return code;
}

void TrainingRun::Succeed() const {
  unlink(CheckpointPath().c_str());
}

std::string TrainingRun::HowToGoOn() const {
  if (settings_.output.empty() || !Exists(CheckpointPath())) return "";
  return absl::StrCat("; '", CheckpointPath(),
                      "' holds what was done; the same command goes on from there\n");
}

}  // namespace espalier::client
