// `espalier compare`.
#include <cstdio>
#include <string>

#include "client/atomic_file.h"
#include "client/commands.h"
#include "client/report/compare_report.h"
#include "client/training_files.h"
#include "client/training_run.h"

namespace espalier::client {

ExitCode RunCompare(Connection& connection, InterruptWatch& interrupts, const CompareArguments& arguments) {
  v1::CompareRequest request = arguments.numbers;
  report::CompareRun record;
  const DataArguments& data = arguments.data;
  if (!arguments.report.empty()) {
    if (const absl::Status status = CheckWritable(arguments.report); !status.ok()) return ReportError(status);
  }
  ExitCode code = SendRecorded(connection, "base", arguments.base, *request.mutable_base(), record.files);
  if (code == kDone) {
    code = SendRecorded(connection, "other", arguments.other, *request.mutable_other(), record.files);
  }
  if (code == kDone) {
    code = SendData(connection, data.data, data.labels, "", *request.mutable_data(), record.files);
  }
  if (code != kDone) return code;
  TrainingRun run(connection, interrupts, {.output = "", .resume = false, .quiet = arguments.quiet});
  code =
      run.Follow([&](grpc::ClientContext* context) { return connection.stub().Compare(context, request); });
  if (code != kDone) return code;
  record.numbers = arguments.numbers;
  record.report = run.result().difference();
  record.command_line = arguments.command_line;
  std::fputs((arguments.json ? CompareJson(record) : CompareText(record)).c_str(), stdout);
  if (arguments.report.empty()) return kDone;
  const absl::Status written = WriteFileAtomically(arguments.report, ComparePage(record));
  return written.ok() ? kDone : ReportError(written);
}

}  // namespace espalier::client
