// `espalier train`.
#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "client/commands.h"
#include "client/file_bytes.h"
#include "client/job_text.h"
#include "client/training_files.h"
#include "client/training_run.h"

namespace espalier::client {
namespace {

bool IsFile(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// An architecture by name or by layers, a file of layers, or an ONNX file.
ExitCode SendNetwork(Connection& connection, const std::string& spec, v1::TrainRequest& request,
                     FileList& files) {
  if (absl::EndsWith(spec, ".onnx") || absl::EndsWith(spec, ".onnx.gz"))
    return SendRecorded(connection, "model", spec, *request.mutable_model(), files);
  request.set_spec(spec);
  if (!IsFile(spec)) return kDone;
  const absl::StatusOr<std::string> text = ReadFileBytes(spec);
  if (!text.ok()) return ReportError(text.status());
  request.set_spec(*text);
  return kDone;
}

}  // namespace

ExitCode RunTrain(Connection& connection, InterruptWatch& interrupts, const TrainArguments& arguments) {
  TrainingRun run(connection, interrupts,
                  {.output = arguments.output, .resume = !arguments.no_resume, .quiet = arguments.quiet});
  v1::TrainRequest request;
  v1::Blob checkpoint;
  FileList files;
  const DataArguments& data = arguments.data;
  ExitCode code = run.Begin(checkpoint);
  if (code == kDone) code = SendNetwork(connection, arguments.spec, request, files);
  if (code == kDone) {
    code = SendData(connection, data.data, data.labels, "", *request.mutable_data(), files);
  }
  if (code == kDone && !data.eval_data.empty()) {
    code = SendData(connection, data.eval_data, data.eval_labels, "evaluation ",
                    *request.mutable_evaluation(), files);
  }
  if (code != kDone) return code;
  *request.mutable_options() = arguments.options;
  if (checkpoint.source_case() != v1::Blob::SOURCE_NOT_SET) *request.mutable_resume() = checkpoint;
  code = run.Follow([&](grpc::ClientContext* context) { return connection.stub().Train(context, request); });
  if (code != kDone) return code;
  run.Succeed();
  const v1::Measurement& trained = run.result().trained();
  if (arguments.json) {
    std::fputs(Json(trained).c_str(), stdout);
    return kDone;
  }
  std::fputs(
      absl::StrFormat("%s: clean accuracy %.1f %%, under PGD-20 %.1f %%, on %d samples\n", arguments.output,
                      100 * trained.clean_accuracy(), 100 * trained.attacked_accuracy(), trained.samples())
          .c_str(),
      stdout);
  return kDone;
}

}  // namespace espalier::client
