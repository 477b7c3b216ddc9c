// `espalier graft`.
#include <cstdio>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/atomic_file.h"
#include "client/commands.h"
#include "client/measurement_text.h"
#include "client/report/graft_report.h"
#include "client/training_files.h"
#include "client/training_run.h"
#include "proto/digest.h"

namespace espalier::client {
namespace {

std::string WithoutSuffix(const std::string& path, const std::string& suffix) {
  return absl::EndsWith(path, suffix) ? path.substr(0, path.size() - suffix.size()) : path;
}

ExitCode SendAll(Connection& connection, const GraftArguments& arguments, v1::GraftRequest& request,
                 FileList& files) {
  const DataArguments& data = arguments.data;
  ExitCode code = SendRecorded(connection, "model", arguments.network, *request.mutable_model(), files);
  if (code == kDone) {
    code = SendData(connection, data.data, data.labels, "", *request.mutable_data(), files);
  }
  if (code == kDone && !data.eval_data.empty()) {
    code = SendData(connection, data.eval_data, data.eval_labels, "evaluation ",
                    *request.mutable_evaluation(), files);
  }
  return code;
}

std::string HtmlPath(const GraftArguments& arguments) {
  return arguments.report.empty() ? WithoutSuffix(arguments.output, ".onnx") + ".html" : arguments.report;
}

ExitCode WriteReports(const GraftArguments& arguments, const report::GraftRun& run) {
  const std::string html = HtmlPath(arguments);
  const std::string json = WithoutSuffix(html, ".html") + ".json";
  for (const auto& [path, text] :
       {std::pair(html, report::GraftPage(run)), std::pair(json, GraftJson(run))}) {
    if (const absl::Status written = WriteFileAtomically(path, text); !written.ok())
      return ReportError(written);
  }
  std::fprintf(stderr, "; report: %s, %s\n", html.c_str(), json.c_str());
  return kDone;
}

std::string Summary(const std::string& output, const v1::GraftReport& report) {
  int64_t neurons = 0, grafted = 0;
  for (const v1::LayerGraftCounts& layer : report.layers()) {
    neurons += layer.neurons();
    grafted += layer.grafted_after();
  }
  std::string text = absl::StrFormat("%s: %d of %d neurons grafted\n", output, grafted, neurons);
  if (report.points_size() > 0) {
    const v1::GraftPoint& last = report.points(report.points_size() - 1);
    text += ComparisonTable("base", report.base(), "grafted", last.measurement());
  }
  return text;
}

}  // namespace

ExitCode RunGraft(Connection& connection, InterruptWatch& interrupts, const GraftArguments& arguments) {
  TrainingRun run(connection, interrupts,
                  {.output = arguments.output, .resume = !arguments.no_resume, .quiet = arguments.quiet});
  v1::GraftRequest request;
  v1::Blob checkpoint;
  report::GraftRun record;
  if (const absl::Status status = CheckWritable(HtmlPath(arguments)); !status.ok())
    return ReportError(status);
  ExitCode code = run.Begin(checkpoint);
  if (code == kDone) code = SendAll(connection, arguments, request, record.files);
  if (code != kDone) return code;
  *request.mutable_graft() = arguments.graft;
  *request.mutable_train() = arguments.train;
  request.mutable_curve_ratios()->Add(arguments.curve.begin(), arguments.curve.end());
  if (checkpoint.source_case() != v1::Blob::SOURCE_NOT_SET) *request.mutable_resume() = checkpoint;
  code = run.Follow([&](grpc::ClientContext* context) { return connection.stub().Graft(context, request); });
  if (code != kDone) return code;
  record.report = run.result().grafted();
  record.command_line = arguments.command_line;
  record.files.push_back({"result", arguments.output, proto::Sha256Hex(run.model())});
  code = WriteReports(arguments, record);
  if (code != kDone) return code;
  run.Succeed();
  for (const std::string& warning : record.report.warnings())
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  const std::string text = arguments.json ? GraftJson(record) : Summary(arguments.output, record.report);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace espalier::client
