#include "server/core.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"

namespace espalier::server {
namespace {

constexpr int kLookupWorkers = 2;

}  // namespace

Core::Core(const Limits& limits)
    : limits_(limits),
      blobs_(limits.blob_bytes),
      models_(limits.blob_bytes),
      searches_(limits.concurrency, limits.max_queue),
      lookups_(kLookupWorkers, limits.max_queue) {}

Failure Core::Resolve(const v1::Blob& source, const char* field, BlobPtr& blob) {
  switch (source.source_case()) {
    case v1::Blob::kSha256:
      if (!proto::IsSha256Hex(source.sha256())) {
        return {absl::InvalidArgumentError(
                    absl::StrCat(field, ": a digest has 64 lower-case hexadecimal digits")),
                {.reason = "INVALID_REQUEST", .field = field}};
      }
      blob = blobs_.Find(source.sha256());
      if (blob == nullptr) {
        return {
            absl::NotFoundError(absl::StrCat(field, ": no blob ", source.sha256(), " is held; upload it")),
            {.reason = "UNKNOWN_BLOB", .field = field}};
      }
      return {};
    case v1::Blob::kInlineBytes: {
      absl::StatusOr<BlobPtr> added =
          blobs_.Add(proto::Sha256Hex(source.inline_bytes()), source.inline_bytes());
      if (!added.ok()) {
        return {added.status(),
                {.reason = "QUOTA_EXCEEDED", .field = field, .retry_delay_s = kRetryDelaySeconds}};
      }
      blob = *std::move(added);
      return {};
    }
    case v1::Blob::SOURCE_NOT_SET:
      break;
  }
  return {absl::InvalidArgumentError(absl::StrCat(field, ": required")),
          {.reason = "INVALID_REQUEST", .field = field}};
}

Failure Core::ResolveModel(const v1::Blob& source, BlobPtr& blob, Model& model) {
  if (Failure failure = Resolve(source, "model", blob); !failure.ok()) return failure;
  return Load(blob, "model", model);
}

Failure Core::Load(const BlobPtr& blob, const char* field, Model& model) {
  absl::StatusOr<Model> loaded = models_.Get(blob);
  if (!loaded.ok()) return {loaded.status(), {.reason = "INVALID_MODEL", .field = field}};
  model = *std::move(loaded);
  return {};
}

Failure Core::EngineFailure(const absl::Status& status, const Model& model, const char* reason,
                            const char* field) {
  if (status.code() == absl::StatusCode::kUnimplemented) {
    return {status,
            {.reason = "UNSUPPORTED_MODEL", .field = "model", .unsupported = model.Describe().unsupported}};
  }
  return {status, {.reason = reason, .field = field}};
}

api::Options Core::Effective(api::Options options) const {
  options.threads = EffectiveThreads(options.threads);
  if (limits_.memory_bytes > 0) {
    options.memory_bytes = options.memory_bytes > 0 ? std::min(options.memory_bytes, limits_.memory_bytes)
                                                    : limits_.memory_bytes;
  }
  return options;
}

int64_t Core::EffectiveThreads(int64_t asked) const {
  const int64_t machine = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const int64_t most = limits_.threads > 0 ? limits_.threads : machine;
  return asked > 0 ? std::min(asked, most) : most;
}

void Core::Close() {
  searches_.Close();
  lookups_.Close();
}

}  // namespace espalier::server
