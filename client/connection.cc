#include "client/connection.h"

#include <grpcpp/create_channel_posix.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/digest.h"

namespace espalier::client {
namespace {

// The six files that a request may carry (model, data, labels, data and labels to evaluate on, checkpoint)
// stay together below the server's 4 MiB limit of a message.
constexpr size_t kMaxInline = size_t{1} << 19;
constexpr size_t kChunk = size_t{1} << 20;
// Bounds of all layers of a large network; the server is one that the user chose.
constexpr int kMaxReceive = 1 << 30;
// gRPC waits up to two minutes before it tries a server again that was away; a long batch wants it sooner.
constexpr int kMaxReconnectMs = 2000;

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionSettings& settings) {
  auto connection = std::make_unique<Connection>();
  connection->settings_ = settings;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceive);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  std::shared_ptr<grpc::Channel>& channel = connection->channel_;
  if (settings.server.empty()) {
    std::vector<std::string> flags = {"--concurrency", "1"};
    flags.insert(flags.end(), settings.private_flags.begin(), settings.private_flags.end());
    absl::StatusOr<PrivateServer> server = PrivateServer::Start(flags);
    if (!server.ok()) return server.status();
    connection->private_server_.emplace(*std::move(server));
    channel = grpc::CreateCustomInsecureChannelFromFd("private", connection->private_server_->ReleaseSocket(),
                                                      arguments);
  } else {
    absl::StatusOr<std::shared_ptr<grpc::Channel>> opened =
        OpenChannel(settings.server, settings.credentials, arguments);
    if (!opened.ok()) return opened.status();
    channel = *std::move(opened);
  }
  connection->stub_ = v1::Espalier::NewStub(channel);
  return connection;
}

void Connection::Prepare(grpc::ClientContext& context, absl::Time deadline) const {
  const absl::Time earlier = std::min(settings_.deadline, deadline);
  if (earlier != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(earlier));
}

grpc::Status Connection::Send(std::string bytes, v1::BlobKind kind, v1::Blob& blob, absl::Time deadline) {
  if (bytes.size() <= kMaxInline) {
    blob.set_inline_bytes(std::move(bytes));
    return grpc::Status::OK;
  }
  v1::UploadBlobResponse response;
  const grpc::Status status = Upload(bytes, kind, response, deadline);
  blob.set_sha256(response.sha256());
  return status;
}

grpc::Status Connection::Upload(const std::string& bytes, v1::BlobKind kind, v1::UploadBlobResponse& response,
                                absl::Time deadline) {
  grpc::ClientContext context;
  Prepare(context, deadline);
  const auto writer = stub_->UploadBlob(&context, &response);
  v1::UploadBlobRequest request;
  v1::UploadBlobHeader& header = *request.mutable_header();
  header.set_kind(kind);
  header.set_sha256(proto::Sha256Hex(bytes));
  header.set_size(static_cast<int64_t>(bytes.size()));
  bool open = writer->Write(request);
  for (size_t at = 0; open && at < bytes.size(); at += kChunk) {
    request.set_chunk(bytes.substr(at, kChunk));
    open = writer->Write(request);  // false: the server has answered already
  }
  writer->WritesDone();
  return writer->Finish();
}

std::string Connection::Explain(const grpc::Status& status) {
  std::string text = status.error_message();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && private_server_.has_value()) {
    if (const std::string end = private_server_->DescribeEnd(); !end.empty()) return end;
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    absl::StrAppend(&text, " (server ", settings_.server, ")");
  }
  if (const double delay = DetailOf(status).retry_delay_s(); delay > 0) {
    absl::StrAppend(&text, "; try again in ", delay, " s");
  }
  return text;
}

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  v1::StatusDetails details;
  v1::ErrorDetail detail;
  if (details.ParseFromString(status.error_details()) && details.details_size() > 0)
    details.details(0).UnpackTo(&detail);
  return detail;
}

}  // namespace espalier::client
