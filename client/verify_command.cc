#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/time/clock.h"
#include "client/commands.h"
#include "client/file_bytes.h"
#include "client/progress_view.h"
#include "client/verdict_text.h"

namespace espalier::client {
namespace {

// The search is asked to stop this much before the limit, so that its answer and its statistics arrive in
// time.
double Margin(double timeout_s) {
  return std::clamp(0.02 * timeout_s, 0.0, 0.25);
}

// The server keeps the limit; on a busy machine its answer may still be on its way when it has passed.
constexpr absl::Duration kLateAnswer = absl::Milliseconds(500);

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
  std::fputs(StandardOutput(result).c_str(), stdout);
  std::fflush(stdout);
  if (arguments.results_file.empty()) return kDone;
  const absl::Status written = WriteFileBytes(arguments.results_file, ResultFile(result));
  return written.ok() ? kDone : ReportError(written);
}

ExitCode PublishTimeout(const VerifyArguments& arguments) {
  v1::VerifyResult result;
  result.set_answer(v1::ANSWER_UNKNOWN);
  result.set_limit(v1::LIMIT_TIME);
  result.set_reason("the time limit passed before the server answered");
  return Publish(arguments, result);
}

// Reads the stream to its end; the result event, if it came, is in `result`.
grpc::Status Follow(Connection& connection, const VerifyArguments& arguments,
                    const v1::VerifyRequest& request, v1::VerifyResult& result) {
  ProgressView view(arguments.quiet ? ProgressView::Style::kQuiet : ProgressView::StyleOf(STDERR_FILENO),
                    ProgressView::WidthOf(STDERR_FILENO));
  grpc::ClientContext context;
  connection.Prepare(context);
  if (arguments.timeout_s) {
    context.set_deadline(
        absl::ToChronoTime(arguments.start + absl::Seconds(*arguments.timeout_s) + kLateAnswer));
  }
  const auto reader = connection.stub().Verify(&context, request);
  v1::VerifyEvent event;
  while (reader->Read(&event)) {
    if (event.has_progress()) {
      PrintError(view.Show(event.progress(), absl::ToDoubleSeconds(absl::Now() - arguments.start)));
    } else if (event.has_result()) {
      result = std::move(*event.mutable_result());
    }
  }
  PrintError(view.Clear());
  return reader->Finish();
}

ExitCode Verify(Connection& connection, const VerifyArguments& arguments) {
  v1::VerifyRequest request;
  ExitCode sent = SendFile(connection, arguments.network, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model());
  if (sent == kDone) {
    sent = SendFile(connection, arguments.query, v1::BLOB_KIND_VNNLIB_QUERY, *request.mutable_query());
  }
  // Sending is limited like every call: when the limit has passed, that is the answer.
  const bool late =
      arguments.timeout_s && absl::Now() > arguments.start + absl::Seconds(*arguments.timeout_s);
  if (sent != kDone) return late ? PublishTimeout(arguments) : sent;
  request.set_device(arguments.device);
  *request.mutable_options() = arguments.options;
  if (arguments.timeout_s) {
    const double elapsed = absl::ToDoubleSeconds(absl::Now() - arguments.start);
    const double left = *arguments.timeout_s - elapsed - Margin(*arguments.timeout_s);
    if (left <= 0) return PublishTimeout(arguments);
    request.mutable_options()->set_timeout_s(left);
  }
  v1::VerifyResult result;
  const grpc::Status status = Follow(connection, arguments, request, result);
  if (result.answer() != v1::ANSWER_UNSPECIFIED) return Publish(arguments, result);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return PublishTimeout(arguments);
  if (status.ok())
    return ReportError(connection, {grpc::StatusCode::INTERNAL, "the server ended without a result"});
  return ReportError(connection, status);
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
