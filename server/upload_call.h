// One UploadBlob call: header, then chunks, hashed as they arrive. Owns itself until the call is done.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <string>

#include "espalier/v1/blob.pb.h"
#include "proto/digest.h"
#include "server/core.h"

namespace espalier::server {

class UploadCall : public grpc::ServerReadReactor<v1::UploadBlobRequest> {
 public:
  UploadCall(Core& core, v1::UploadBlobResponse* response);

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }

  // Each returns a failure that ends the call; Header sets `finished_` when the blob is known already.
  Failure TakeHeader(const v1::UploadBlobHeader& header);
  Failure TakeChunk(const std::string& chunk);
  Failure Complete();
  void End(const Failure& failure);

  Core& core_;
  v1::UploadBlobResponse* const response_;
  v1::UploadBlobRequest request_;
  bool have_header_ = false;
  bool known_ = false;
  v1::UploadBlobHeader header_;
  BlobStore::Reservation reservation_;
  proto::Sha256 hash_;
  std::string bytes_;
};

}  // namespace espalier::server
