#include "client/connection.h"

#include <grpcpp/create_channel_posix.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "espalier/v1/error.pb.h"
#include "proto/digest.h"

namespace espalier::client {
namespace {

// The six files that a request may carry (model, data, labels, data and labels to evaluate on, checkpoint)
// stay together below the server's 4 MiB limit of a message.
constexpr size_t kMaxInline = size_t{1} << 19;
constexpr size_t kChunk = size_t{1} << 20;
// Bounds of all layers of a large network; the server is one that the user chose.
constexpr int kMaxReceive = 1 << 30;

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const ConnectionSettings& settings) {
  auto connection = std::make_unique<Connection>();
  connection->settings_ = settings;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceive);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::shared_ptr<grpc::Channel> channel;
  if (settings.server.empty()) {
    absl::StatusOr<PrivateServer> server =
        PrivateServer::Start({"--concurrency", "1", "--log-level", "warn"});
    if (!server.ok()) return server.status();
    connection->private_server_.emplace(*std::move(server));
    channel = grpc::CreateCustomInsecureChannelFromFd("private", connection->private_server_->ReleaseSocket(),
                                                      arguments);
  } else {
    channel = grpc::CreateCustomChannel(settings.server, grpc::InsecureChannelCredentials(), arguments);
  }
  connection->stub_ = v1::Espalier::NewStub(channel);
  return connection;
}

void Connection::Prepare(grpc::ClientContext& context) const {
  if (settings_.deadline != absl::InfiniteFuture())
    context.set_deadline(absl::ToChronoTime(settings_.deadline));
}

grpc::Status Connection::Send(std::string bytes, v1::BlobKind kind, v1::Blob& blob) {
  if (bytes.size() <= kMaxInline) {
    blob.set_inline_bytes(std::move(bytes));
    return grpc::Status::OK;
  }
  v1::UploadBlobHeader header;
  header.set_kind(kind);
  header.set_sha256(proto::Sha256Hex(bytes));
  header.set_size(static_cast<int64_t>(bytes.size()));
  blob.set_sha256(header.sha256());
  return Upload(bytes, header);
}

grpc::Status Connection::Upload(const std::string& bytes, const v1::UploadBlobHeader& header) {
  grpc::ClientContext context;
  Prepare(context);
  v1::UploadBlobResponse response;
  const auto writer = stub_->UploadBlob(&context, &response);
  v1::UploadBlobRequest request;
  *request.mutable_header() = header;
  bool open = writer->Write(request);
  for (size_t at = 0; open && at < bytes.size(); at += kChunk) {
    request.set_chunk(bytes.substr(at, kChunk));
    open = writer->Write(request);  // false: the server has answered already
  }
  writer->WritesDone();
  return writer->Finish();
}

std::string Connection::Explain(const grpc::Status& status) const {
  std::string text = status.error_message();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && private_server_.has_value()) {
    if (const std::string end = private_server_->DescribeEnd(); !end.empty()) return end;
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    absl::StrAppend(&text, " (server ", settings_.server, ")");
  }
  v1::StatusDetails details;
  v1::ErrorDetail detail;
  if (details.ParseFromString(status.error_details()) && details.details_size() > 0 &&
      details.details(0).UnpackTo(&detail) && detail.retry_delay_s() > 0) {
    absl::StrAppend(&text, "; try again in ", detail.retry_delay_s(), " s");
  }
  return text;
}

}  // namespace espalier::client
