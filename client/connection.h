// The way to a server: one that was named, or a private one.
//
//   auto connection = Connection::Open(settings);
//   v1::Blob model;
//   grpc::Status sent = connection->Send(bytes, v1::BLOB_KIND_ONNX_MODEL, model);   // uploads what is large
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/credentials.h"
#include "client/private_server.h"
#include "espalier/v1/error.pb.h"
#include "espalier/v1/service.grpc.pb.h"

namespace espalier::client {

struct ConnectionSettings {
  std::string server;                            // "HOST:PORT" or "unix:/path"; empty: a private server
  absl::Time deadline = absl::InfiniteFuture();  // of every call
  Credentials credentials;                       // for a named server
  std::vector<std::string> private_flags = {"--log-level", "error"};  // of a private server
};

class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionSettings& settings);

  v1::Espalier::Stub& stub() { return *stub_; }
  // For services without messages of their own here, such as health checking.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Small bytes go into `blob` themselves; large ones are uploaded first, until `deadline` at the latest.
  grpc::Status Send(std::string bytes, v1::BlobKind kind, v1::Blob& blob,
                    absl::Time deadline = absl::InfiniteFuture());

  // Uploads bytes however small they are.
  grpc::Status Upload(const std::string& bytes, v1::BlobKind kind, v1::UploadBlobResponse& response,
                      absl::Time deadline = absl::InfiniteFuture());

  // Sets the deadline, to the settings' or to `deadline` where that is earlier.
  void Prepare(grpc::ClientContext& context, absl::Time deadline = absl::InfiniteFuture()) const;

  // What to tell the user about a failed call.
  std::string Explain(const grpc::Status& status);

 private:
  ConnectionSettings settings_;
  std::optional<PrivateServer> private_server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Espalier::Stub> stub_;
};

// What a failed call says besides its code; empty when the server gave no detail.
v1::ErrorDetail DetailOf(const grpc::Status& status);

}  // namespace espalier::client
