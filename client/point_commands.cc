// `espalier run` and `espalier supports`.
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "client/commands.h"
#include "client/file_bytes.h"
#include "client/job_text.h"

namespace espalier::client {
namespace {

void AppendOptions(const google::protobuf::RepeatedPtrField<v1::OptionInfo>& options, std::string& text) {
  for (const v1::OptionInfo& option : options) {
    absl::StrAppendFormat(&text, "%-24s %-10g %s%s%s\n", option.name(), option.default_value(),
                          option.meaning(), option.unit().empty() ? "" : "; in ", option.unit());
  }
}

}  // namespace

ExitCode RunModel(Connection& connection, const RunArguments& arguments) {
  v1::EvaluateRequest request;
  ExitCode sent = SendFile(connection, arguments.network, v1::BLOB_KIND_ONNX_MODEL, *request.mutable_model());
  if (sent == kDone) {
    sent = SendFile(connection, arguments.input, v1::BLOB_KIND_NPY_ARRAY, *request.mutable_input());
  }
  if (sent != kDone) return sent;
  request.set_float64(arguments.float64);
  grpc::ClientContext context;
  connection.Prepare(context);
  v1::EvaluateResponse response;
  const grpc::Status status = connection.stub().Evaluate(&context, request, &response);
  if (!status.ok()) return ReportError(connection, status);
  if (!arguments.output.empty()) {
    const absl::Status written = WriteFileBytes(arguments.output, response.output_npy());
    return written.ok() ? kDone : ReportError(written);
  }
  if (arguments.json) {
    response.clear_output_npy();
    std::fputs(Json(response).c_str(), stdout);
    return kDone;
  }
  std::string text;
  for (int i = 0; i < response.values_size(); ++i)
    absl::StrAppendFormat(&text, "Y_%d %.17g\n", i, response.values(i));
  std::fputs(text.c_str(), stdout);
  return kDone;
}

ExitCode RunSupports(Connection& connection, const SupportsArguments& arguments) {
  grpc::ClientContext context;
  connection.Prepare(context);
  v1::GetCapabilitiesResponse response;
  const grpc::Status status =
      connection.stub().GetCapabilities(&context, v1::GetCapabilitiesRequest(), &response);
  if (!status.ok()) return ReportError(connection, status);
  if (arguments.json) {
    std::fputs(Json(response).c_str(), stdout);
    return kDone;
  }
  std::string text;
  const auto list = [&text](bool asked, const auto& items) {
    for (const std::string& item : items) {
      if (asked) absl::StrAppendFormat(&text, "%s\n", item);
    }
  };
  list(arguments.operators, response.operators());
  for (int opset = response.min_opset(); arguments.opsets && opset <= response.max_opset(); ++opset) {
    absl::StrAppendFormat(&text, "%d\n", opset);
  }
  list(arguments.element_types, response.element_types());
  list(arguments.vnnlib, response.vnnlib_versions());
  list(arguments.devices, response.devices());
  if (arguments.options) AppendOptions(response.options(), text);
  if (arguments.train_options) AppendOptions(response.train_options(), text);
  if (arguments.graft_options) AppendOptions(response.graft_options(), text);
  std::fputs(text.c_str(), stdout);
  return kDone;
}

}  // namespace espalier::client
