#include "server/upload_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace espalier::server {
namespace {

// A header may promise gigabytes that never come; memory is taken as bytes arrive, in steps.
constexpr int64_t kFirstAllocation = int64_t{16} << 20;

Failure BadRequest(absl::string_view message, const char* field, const char* reason = "INVALID_REQUEST") {
  return {absl::InvalidArgumentError(message), {.reason = reason, .field = field}};
}

}  // namespace

UploadCall::UploadCall(Ticket ticket, Core& core, v1::UploadBlobResponse* response)
    : ticket_(std::move(ticket)), core_(core), response_(response) {
  EndAfter(core_.limits().upload_grace_s, header_alarm_);
  StartRead(&request_);
}

void UploadCall::EndAfter(double seconds, grpc::Alarm& alarm) {
  alarm.Set(absl::ToChronoTime(absl::Now() + absl::Seconds(seconds)),
            [this, seconds, ended = ended_](bool expired) {
              if (!expired || ended->exchange(true)) return;
              const Failure late = {
                  absl::DeadlineExceededError(absl::StrCat("the upload was not complete after ", seconds,
                                                           " s, which its size does not explain")),
                  {.reason = "SLOW_UPLOAD"}};
              ticket_.End(late);
              Finish(late.ToGrpc());
            });
}

void UploadCall::OnReadDone(bool ok) {
  if (*ended_) return;
  if (!ok) return End(Complete());
  Failure failure;
  if (request_.has_header()) {
    failure = have_header_ ? BadRequest("the header comes first and only once", "header")
                           : TakeHeader(request_.header());
  } else {
    failure = have_header_ ? TakeChunk(request_.chunk())
                           : BadRequest("the first message must be the header", "header");
  }
  if (!failure.ok() || known_) return End(failure);
  StartRead(&request_);
}

Failure UploadCall::TakeHeader(const v1::UploadBlobHeader& header) {
  have_header_ = true;
  header_ = header;
  header_alarm_.Cancel();
  if (header.kind() == v1::BLOB_KIND_UNSPECIFIED || !v1::BlobKind_IsValid(header.kind())) {
    return BadRequest("kind: required", "header.kind");
  }
  if (!proto::IsSha256Hex(header.sha256())) {
    return BadRequest("sha256: a digest has 64 lower-case hexadecimal digits", "header.sha256");
  }
  if (header.size() < 0 || header.size() > kMaxBlobBytes) {
    return BadRequest(
        absl::StrCat("size: ", header.size(), " is not between 0 and ", kMaxBlobBytes, " bytes"),
        "header.size");
  }
  if (const BlobPtr blob = core_.blobs().Find(header.sha256()); blob != nullptr) {
    known_ = true;
    core_.blobs().NoteKind(header.sha256(), header.kind());
    response_->set_already_known(true);
    response_->set_sha256(blob->sha256);
    response_->set_size(static_cast<int64_t>(blob->bytes.size()));
    return {};
  }
  absl::StatusOr<BlobStore::Reservation> reservation = core_.blobs().Reserve(header.size());
  if (!reservation.ok()) {
    return {reservation.status(),
            {.reason = "QUOTA_EXCEEDED", .field = "header.size", .retry_delay_s = kRetryDelaySeconds}};
  }
  reservation_ = *std::move(reservation);
  EndAfter(core_.limits().upload_grace_s + static_cast<double>(header.size()) / kLeastRate, alarm_);
  bytes_.reserve(static_cast<size_t>(std::min(header.size(), kFirstAllocation)));
  return {};
}

Failure UploadCall::TakeChunk(const std::string& chunk) {
  if (static_cast<int64_t>(bytes_.size() + chunk.size()) > header_.size()) {
    return BadRequest(absl::StrCat("more than the ", header_.size(), " bytes that the header promised"),
                      "chunk", "WRONG_SIZE");
  }
  hash_.Update(chunk);
  bytes_ += chunk;
  return {};
}

Failure UploadCall::Complete() {
  if (!have_header_) return BadRequest("the first message must be the header", "header");
  if (static_cast<int64_t>(bytes_.size()) != header_.size()) {
    return BadRequest(
        absl::StrCat("the header promised ", header_.size(), " bytes, ", bytes_.size(), " came"),
        "header.size", "WRONG_SIZE");
  }
  if (const std::string digest = hash_.Finish(); digest != header_.sha256()) {
    return BadRequest(absl::StrCat("the bytes have digest ", digest), "header.sha256", "WRONG_DIGEST");
  }
  reservation_ = {};
  const absl::StatusOr<BlobPtr> blob = core_.blobs().Add(header_.sha256(), std::move(bytes_), header_.kind());
  if (!blob.ok()) {
    return {blob.status(), {.reason = "QUOTA_EXCEEDED", .retry_delay_s = kRetryDelaySeconds}};
  }
  response_->set_sha256((*blob)->sha256);
  response_->set_size(static_cast<int64_t>((*blob)->bytes.size()));
  return {};
}

void UploadCall::End(const Failure& failure) {
  if (ended_->exchange(true)) return;
  if (failure.ok() && !known_) core_.counters().CountUpload(header_.size());
  ticket_.End(failure, {{"sha256", header_.sha256()},
                        {"size", absl::StrCat(header_.size())},
                        {"known", known_ ? "yes" : "no"}});
  Finish(failure.ToGrpc());
}

}  // namespace espalier::server
