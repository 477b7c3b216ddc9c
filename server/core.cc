#include "server/core.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"
#include "server/local_engine.h"
#include "server/worker/card_leases.h"
#include "verifier/base/device_lost.h"

namespace espalier::server {
namespace {

constexpr int kLookupWorkers = 2;
constexpr int kRecordWorkers = 4;  // they wait for the disk, not for a processor
constexpr int kRecordQueue = 10000;
constexpr int64_t kCarriedBytes = int64_t{256} << 20;

// What the file is that a request's field holds.
v1::BlobKind KindOf(std::string_view field) {
  if (field == "model" || field == "base" || field == "other") return v1::BLOB_KIND_ONNX_MODEL;
  return field == "query" ? v1::BLOB_KIND_VNNLIB_QUERY : v1::BLOB_KIND_UNSPECIFIED;
}

}  // namespace

Core::Core(const Limits& limits, std::unique_ptr<BlobStore> blobs)
    : limits_(limits),
      blobs_(std::move(blobs)),
      models_(limits.blob_bytes),
      engine_(std::make_unique<LocalEngine>(*this)),
      searches_({.workers = limits.concurrency,
                 .capacity = limits.max_queue,
                 .capacity_of_client = limits.max_queue_client,
                 .memory_bytes = limits.memory_total}),
      lookups_({.workers = kLookupWorkers,
                .capacity = limits.max_queue,
                .capacity_of_client = limits.max_queue_client}),
      records_({.workers = kRecordWorkers, .capacity = kRecordQueue}) {
  if (blobs_ == nullptr) {
    blobs_ = std::make_unique<MemoryBlobStore>(limits.blob_bytes);
  } else {
    carried_ = std::make_unique<MemoryBlobStore>(std::min(limits.blob_bytes, kCarriedBytes));
  }
}

Failure Core::CheckSource(const v1::Blob& source, const char* field) {
  if (source.source_case() == v1::Blob::SOURCE_NOT_SET) {
    return {absl::InvalidArgumentError(absl::StrCat(field, ": required")),
            {.reason = "INVALID_REQUEST", .field = field}};
  }
  if (source.has_sha256() && !proto::IsSha256Hex(source.sha256())) {
    return {
        absl::InvalidArgumentError(absl::StrCat(field, ": a digest has 64 lower-case hexadecimal digits")),
        {.reason = "INVALID_REQUEST", .field = field}};
  }
  return {};
}

Failure Core::NotHeld(const v1::Blob& source, const char* field) {
  return {absl::NotFoundError(absl::StrCat(field, ": no blob ", source.sha256(), " is held; upload it")),
          {.reason = "UNKNOWN_BLOB", .field = field}};
}

Failure Core::Put(BlobStore& store, const std::string& bytes, const char* field, BlobPtr& blob) {
  absl::StatusOr<BlobPtr> added = store.Add(proto::Sha256Hex(bytes), bytes, KindOf(field));
  if (!added.ok()) {
    const bool full = added.status().code() == absl::StatusCode::kResourceExhausted;
    return {added.status(),
            {.reason = full ? "QUOTA_EXCEEDED" : "STORE_FAILED",
             .field = field,
             .retry_delay_s = kRetryDelaySeconds}};
  }
  blob = *std::move(added);
  store.NoteKind(blob->sha256, KindOf(field));  // where it was held before anybody said so
  return {};
}

BlobPtr Core::FindBlob(const std::string& sha256) {
  BlobPtr blob = blobs_->Find(sha256);
  return blob == nullptr && carried_ != nullptr ? carried_->Find(sha256) : blob;
}

absl::StatusOr<int64_t> Core::RemoveBlob(const std::string& sha256) {
  if (carried_ != nullptr) {
    const absl::StatusOr<int64_t> carried = carried_->Remove(sha256);
    if (carried.status().code() == absl::StatusCode::kFailedPrecondition) return carried;
  }
  return blobs_->Remove(sha256);
}

Failure Core::Resolve(const v1::Blob& source, const char* field, BlobPtr& blob) {
  if (Failure failure = CheckSource(source, field); !failure.ok()) return failure;
  if (source.has_inline_bytes()) return Put(carried(), source.inline_bytes(), field, blob);
  blob = FindBlob(source.sha256());
  blobs_->NoteKind(source.sha256(), KindOf(field));
  return blob != nullptr ? Failure() : NotHeld(source, field);
}

Failure Core::Claim(v1::Blob& source, const char* field, Keep keep, BlobPin& pin) {
  if (Failure failure = CheckSource(source, field); !failure.ok()) return failure;
  BlobStore& store = keep == Keep::kInStore ? *blobs_ : carried();
  BlobPtr stored;  // keeps it until it is pinned
  if (source.has_inline_bytes()) {
    if (Failure failure = Put(store, source.inline_bytes(), field, stored); !failure.ok()) return failure;
    source.set_sha256(stored->sha256);
    pin = store.Pin(source.sha256());
    return pin.hold != nullptr ? Failure() : NotHeld(source, field);
  }
  pin = blobs_->Pin(source.sha256());
  blobs_->NoteKind(source.sha256(), KindOf(field));
  if (pin.hold != nullptr || carried_ == nullptr)
    return pin.hold != nullptr ? Failure() : NotHeld(source, field);
  // An earlier request carried it.
  stored = carried_->Find(source.sha256());
  if (stored == nullptr) return NotHeld(source, field);
  if (keep == Keep::kInStore) {
    BlobPtr copy;
    if (Failure failure = Put(*blobs_, stored->bytes, field, copy); !failure.ok()) return failure;
    pin = blobs_->Pin(source.sha256());
  } else {
    pin = carried_->Pin(source.sha256());
  }
  return pin.hold != nullptr ? Failure() : NotHeld(source, field);
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
  if (IsDeviceLost(status)) return {status, {.reason = kDeviceLostReason}};
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
  records_.Close();
}

void Core::Stop() {
  searches_.Stop();
  lookups_.Stop();
  records_.Stop();
}

}  // namespace espalier::server
