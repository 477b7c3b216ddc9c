// The calls on the models that the server keeps.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"
#include "server/service.h"
#include "server/unary_call.h"

namespace espalier::server {
namespace {

constexpr int32_t kDefaultPage = 100;
constexpr int32_t kMaxPage = 1000;

Failure BadRequest(const char* field, const std::string& message) {
  return {absl::InvalidArgumentError(absl::StrCat(field, ": ", message)),
          {.reason = "INVALID_REQUEST", .field = field}};
}

Failure CheckDigest(const std::string& sha256) {
  if (proto::IsSha256Hex(sha256)) return {};
  return BadRequest("sha256", "a digest has 64 lower-case hexadecimal digits");
}

Failure NotHeld(const std::string& sha256) {
  return {absl::NotFoundError(absl::StrCat("no model ", sha256, " is kept")),
          {.reason = "UNKNOWN_BLOB", .field = "sha256"}};
}

// Who knows the digest of a file may use it, so the list of all digests is not for everybody.
Failure CheckAdmin(const Ticket& ticket) {
  if (ticket.admin) return {};
  return {absl::PermissionDeniedError("only an administrator of this server may list or delete its models"),
          {.reason = "NOT_ADMIN"}};
}

// Nothing when it is not held, or known to be something else.
std::optional<BlobInfo> LookModel(const Core& core, const std::string& sha256) {
  std::optional<BlobInfo> info = core.blobs().Look(sha256);
  if (info && info->kind != v1::BLOB_KIND_UNSPECIFIED && info->kind != v1::BLOB_KIND_ONNX_MODEL) info.reset();
  return info;
}

void Fill(const BlobInfo& info, v1::StoredModel& model) {
  model.set_sha256(info.sha256);
  model.set_size(info.size);
  model.set_added_s(info.added_s);
  model.set_used_s(info.used_s);
  model.set_in_use(info.in_use);
}

Failure ListPage(const Core& core, const v1::ListModelsRequest& request, v1::ListModelsResponse& response) {
  const int32_t size = request.page_size() == 0 ? kDefaultPage : request.page_size();
  if (size < 1 || size > kMaxPage)
    return BadRequest("page_size", absl::StrCat(size, " is not between 1 and ", kMaxPage));
  if (!request.page_token().empty() && !proto::IsSha256Hex(request.page_token()))
    return BadRequest("page_token", "not one of this server");
  std::vector<BlobInfo> page =
      core.blobs().List(v1::BLOB_KIND_ONNX_MODEL, request.page_token(), static_cast<size_t>(size) + 1);
  if (page.size() > static_cast<size_t>(size)) {
    page.pop_back();
    response.set_next_page_token(page.back().sha256);
  }
  for (const BlobInfo& info : page) Fill(info, *response.add_models());
  response.set_held_bytes(core.blobs().bytes_held());
  response.set_quota_bytes(core.limits().blob_bytes);
  return {};
}

Failure Show(Core& core, const std::string& sha256, StopToken stop, v1::StoredModel& model) {
  if (Failure failure = CheckDigest(sha256); !failure.ok()) return failure;
  const std::optional<BlobInfo> info = LookModel(core, sha256);
  if (!info) return NotHeld(sha256);
  Fill(*info, model);
  v1::DescribeModelRequest request;
  request.mutable_model()->set_sha256(sha256);
  v1::DescribeModelResponse response;
  const Failure failure = core.engine().Describe(request, stop, response);
  if (failure.ok()) {
    *model.mutable_description() = std::move(*response.mutable_description());
  } else {
    *model.mutable_error() = failure.ToDetails();
  }
  return {};
}

Failure Delete(Core& core, const std::string& sha256, int64_t& size) {
  if (Failure failure = CheckDigest(sha256); !failure.ok()) return failure;
  if (!LookModel(core, sha256)) return NotHeld(sha256);
  const absl::StatusOr<int64_t> removed = core.RemoveBlob(sha256);
  if (removed.ok()) {
    size = *removed;
    return {};
  }
  switch (removed.status().code()) {
    case absl::StatusCode::kNotFound:
      return NotHeld(sha256);
    case absl::StatusCode::kFailedPrecondition:
      return {absl::FailedPreconditionError(
                  "the model is in use by a call, or by a job that waits or runs; cancel it first"),
              {.reason = "MODEL_IN_USE", .field = "sha256"}};
    default:
      return {removed.status(), {.reason = "STORE_FAILED", .retry_delay_s = kRetryDelaySeconds}};
  }
}

}  // namespace

grpc::ServerUnaryReactor* Service::ListModels(grpc::CallbackServerContext* context,
                                              const v1::ListModelsRequest* request,
                                              v1::ListModelsResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("ListModels", context, [&](Ticket ticket) {
    Failure refused = CheckAdmin(ticket);
    return UnaryCall::Start(std::move(ticket), core_.records(), context,
                            [this, refused = std::move(refused), request, response](StopToken) {
                              return refused.ok() ? ListPage(core_, *request, *response) : refused;
                            });
  });
}

grpc::ServerUnaryReactor* Service::GetModel(grpc::CallbackServerContext* context,
                                            const v1::GetModelRequest* request, v1::StoredModel* response) {
  return Admitted<grpc::ServerUnaryReactor>("GetModel", context, [&](Ticket ticket) {
    return UnaryCall::Start(std::move(ticket), core_.lookups(), context,
                            [this, request, response](StopToken stop) {
                              return Show(core_, request->sha256(), stop, *response);
                            });
  });
}

grpc::ServerUnaryReactor* Service::DeleteModel(grpc::CallbackServerContext* context,
                                               const v1::DeleteModelRequest* request,
                                               v1::DeleteModelResponse* response) {
  return Admitted<grpc::ServerUnaryReactor>("DeleteModel", context, [&](Ticket ticket) {
    Failure refused = CheckAdmin(ticket);
    return UnaryCall::Start(std::move(ticket), core_.records(), context,
                            [this, refused = std::move(refused), request, response](StopToken) {
                              int64_t size = 0;
                              Failure failure =
                                  refused.ok() ? Delete(core_, request->sha256(), size) : refused;
                              response->set_size(size);
                              return failure;
                            });
  });
}

}  // namespace espalier::server
