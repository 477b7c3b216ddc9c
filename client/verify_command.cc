#include <unistd.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "client/commands.h"
#include "client/file_bytes.h"
#include "client/job_text.h"
#include "client/progress_view.h"
#include "client/verdict_text.h"
#include "client/verify_call.h"

namespace espalier::client {
namespace {

void PrintError(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

// Writes the result everywhere it belongs.
ExitCode Publish(const VerifyArguments& arguments, const v1::VerifyResult& result) {
  for (const std::string& warning : result.warnings()) PrintError("warning: " + warning + "\n");
  if (arguments.explain) {
    for (const std::string& line : result.explanation()) PrintError("; " + line + "\n");
  }
  if (!result.reason().empty()) PrintError("; " + result.reason() + "\n");
  if (arguments.stats) PrintError(StatisticsText(result));
  std::fputs((arguments.json ? Json(result) : StandardOutput(result)).c_str(), stdout);
  std::fflush(stdout);
  if (arguments.results_file.empty()) return kDone;
  const absl::Status written = WriteFileBytes(arguments.results_file, ResultFile(result));
  return written.ok() ? kDone : ReportError(written);
}

ExitCode Verify(Connection& connection, const VerifyArguments& arguments) {
  const TimeLimit limit{.start = arguments.start, .seconds = arguments.timeout_s};
  v1::VerifyRequest request;
  ExitCode sent = SendFile(connection, arguments.network, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model());
  if (sent == kDone) {
    sent = SendFile(connection, arguments.query, v1::BLOB_KIND_VNNLIB_QUERY, *request.mutable_query());
  }
  // Sending is limited like every call: when the limit has passed, that is the answer.
  if (sent != kDone) return limit.Passed() ? Publish(arguments, TimedOut()) : sent;
  request.set_device(arguments.device);
  *request.mutable_options() = arguments.options;
  ProgressView view(arguments.quiet ? ProgressView::Style::kQuiet : ProgressView::StyleOf(STDERR_FILENO),
                    ProgressView::WidthOf(STDERR_FILENO));
  grpc::ClientContext context;
  const VerifyOutcome outcome =
      CallVerify(connection, request, limit, context, [&](const v1::VerifyEvent& event) {
        if (!event.has_progress()) return;
        PrintError(view.Show(event.progress(), absl::ToDoubleSeconds(absl::Now() - arguments.start)));
      });
  PrintError(view.Clear());
  return outcome.answered() ? Publish(arguments, outcome.result) : ReportError(connection, outcome.status);
}

}  // namespace

ExitCode RunVerify(Connection& connection, const VerifyArguments& arguments) {
  const ExitCode code = Verify(connection, arguments);
  if (code != kDone) WriteErrorResult(arguments.results_file);
  return code;
}

void WriteErrorResult(const std::string& results_file) {
  if (results_file.empty()) return;
  if (const absl::Status written = WriteFileBytes(results_file, "error\n"); !written.ok())
    ReportError(written);
}

}  // namespace espalier::client
