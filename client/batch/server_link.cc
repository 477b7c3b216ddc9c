#include "client/batch/server_link.h"

#include <utility>

#include "absl/time/clock.h"

namespace espalier::client {
namespace {

// A server that lives answers in milliseconds; a starting one takes a tenth of a second.
constexpr absl::Duration kProbeLimit = absl::Seconds(5);

}  // namespace

absl::Status ServerLink::Open() {
  ConnectionSettings settings{.server = address_, .credentials = credentials_};
  settings.private_flags = private_flags_;
  absl::StatusOr<std::unique_ptr<Connection>> opened = Connection::Open(settings);
  if (!opened.ok()) return opened.status();
  connection_ = *std::move(opened);
  return absl::OkStatus();
}

grpc::Status ServerLink::Probe(v1::GetCapabilitiesResponse& response) {
  grpc::ClientContext context;
  connection_->Prepare(context, absl::Now() + kProbeLimit);
  return connection_->stub().GetCapabilities(&context, {}, &response);
}

absl::Status ServerLink::Ready() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (up_) return absl::OkStatus();
  // A channel to a named server connects again by itself, and other slots may be using it.
  if (connection_ == nullptr || is_private()) {
    if (absl::Status status = Open(); !status.ok()) return status;
  }
  v1::GetCapabilitiesResponse capabilities;
  const grpc::Status answer = Probe(capabilities);
  if (!answer.ok()) return absl::UnavailableError(connection_->Explain(answer));
  processor_ = capabilities.processor();
  uploaded_.clear();
  up_ = true;
  return absl::OkStatus();
}

bool ServerLink::up() {
  std::lock_guard<std::mutex> lock(mutex_);
  return up_;
}

void ServerLink::Lost() {
  std::lock_guard<std::mutex> lock(mutex_);
  up_ = false;
}

bool ServerLink::Answers() {
  v1::GetCapabilitiesResponse ignored;
  return Probe(ignored).ok();
}

std::string ServerLink::processor() {
  std::lock_guard<std::mutex> lock(mutex_);
  return processor_;
}

grpc::Status ServerLink::Send(const LoadedFile& file, v1::BlobKind kind, v1::Blob& blob,
                              absl::Time deadline) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (uploaded_.contains(file.sha256)) {
      blob.set_sha256(file.sha256);
      return grpc::Status::OK;
    }
  }
  const grpc::Status sent = connection_->Send(file.bytes, kind, blob, deadline);
  if (sent.ok() && blob.has_sha256()) {
    std::lock_guard<std::mutex> lock(mutex_);
    uploaded_.insert(file.sha256);
  }
  return sent;
}

void ServerLink::ForgetUploads() {
  std::lock_guard<std::mutex> lock(mutex_);
  uploaded_.clear();
}

}  // namespace espalier::client
