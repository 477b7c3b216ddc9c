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

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/private_server.h"
#include "espalier/v1/service.grpc.pb.h"

namespace espalier::client {

struct ConnectionSettings {
  std::string server;                            // "HOST:PORT" or "unix:/path"; empty: a private server
  absl::Time deadline = absl::InfiniteFuture();  // of every call
};

class Connection {
 public:
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const ConnectionSettings& settings);

  v1::Espalier::Stub& stub() { return *stub_; }

  // Small bytes go into `blob` themselves; large ones are uploaded first.
  grpc::Status Send(std::string bytes, v1::BlobKind kind, v1::Blob& blob);

  // Sets the deadline.
  void Prepare(grpc::ClientContext& context) const;

  // What to tell the user about a failed call.
  std::string Explain(const grpc::Status& status) const;

 private:
  grpc::Status Upload(const std::string& bytes, const v1::UploadBlobHeader& header);

  ConnectionSettings settings_;
  std::optional<PrivateServer> private_server_;
  std::unique_ptr<v1::Espalier::Stub> stub_;
};

}  // namespace espalier::client
