#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/commands.h"
#include "client/file_bytes.h"
#include "client/job_text.h"
#include "client/model_text.h"

namespace espalier::client {
namespace {

constexpr int kPageSize = 500;

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

// The pages come by digest; people want to see first what was used last.
ExitCode ListModels(Connection& connection, const ModelsArguments& arguments) {
  v1::ListModelsRequest request;
  request.set_page_size(kPageSize);
  v1::ListModelsResponse page;
  std::vector<v1::StoredModel> models;
  do {
    grpc::ClientContext context;
    connection.Prepare(context);
    const grpc::Status status = connection.stub().ListModels(&context, request, &page);
    if (!status.ok()) return ReportError(connection, status);
    for (v1::StoredModel& model : *page.mutable_models()) models.push_back(std::move(model));
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  std::stable_sort(models.begin(), models.end(), [](const v1::StoredModel& a, const v1::StoredModel& b) {
    return a.used_s() > b.used_s();
  });
  const size_t count = models.size();
  models.resize(std::min(count, static_cast<size_t>(arguments.limit)));
  if (arguments.json) {
    for (const v1::StoredModel& model : models) Print(Json(model));
    return kDone;
  }
  Print(ModelTable(models, absl::Now()));
  const std::string shown = models.size() < count ? absl::StrFormat("%d of ", models.size()) : "";
  std::fprintf(stderr, "%s%zu model%s; all files: %s of %s\n", shown.c_str(), count, count == 1 ? "" : "s",
               SizeText(page.held_bytes()).c_str(), SizeText(page.quota_bytes()).c_str());
  return kDone;
}

ExitCode UploadModel(Connection& connection, const ModelsArguments& arguments) {
  absl::StatusOr<std::string> bytes = ReadFileBytes(arguments.upload);
  if (!bytes.ok()) return ReportError(bytes.status());
  v1::UploadBlobResponse response;
  const grpc::Status status = connection.Upload(*bytes, v1::BLOB_KIND_ONNX_MODEL, response);
  if (!status.ok()) return ReportError(connection, status);
  Print(arguments.json ? Json(response) : response.sha256() + "\n");
  return kDone;
}

}  // namespace

ExitCode RunModels(Connection& connection, const ModelsArguments& arguments) {
  if (!arguments.upload.empty()) return UploadModel(connection, arguments);
  if (arguments.sha256.empty()) return ListModels(connection, arguments);
  grpc::ClientContext context;
  connection.Prepare(context);
  if (arguments.remove) {
    v1::DeleteModelRequest request;
    request.set_sha256(arguments.sha256);
    v1::DeleteModelResponse response;
    const grpc::Status status = connection.stub().DeleteModel(&context, request, &response);
    if (!status.ok()) return ReportError(connection, status);
    if (arguments.json) Print(Json(response));
    return kDone;
  }
  v1::GetModelRequest request;
  request.set_sha256(arguments.sha256);
  v1::StoredModel model;
  const grpc::Status status = connection.stub().GetModel(&context, request, &model);
  if (!status.ok()) return ReportError(connection, status);
  Print(arguments.json ? Json(model) : ModelText(model));
  return kDone;
}

}  // namespace espalier::client
