// One UploadBlob call: header, then chunks, hashed as they arrive. An upload that takes far longer than its
// size explains is ended, so that nobody holds room with a promise. Owns itself until the call is done.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <string>

#include "espalier/v1/blob.pb.h"
#include "proto/digest.h"
#include "server/core.h"
#include "server/ticket.h"

namespace espalier::server {

class UploadCall : public grpc::ServerReadReactor<v1::UploadBlobRequest> {
 public:
  UploadCall(Ticket ticket, Core& core, v1::UploadBlobResponse* response);

  // Bytes per second that an upload has to keep up, beside Limits::upload_grace_s.
  static constexpr double kLeastRate = 256 << 10;

 private:
  void OnReadDone(bool ok) override;
  void OnDone() override { delete this; }
  // Ends the call when it is still open after so many seconds.
  void EndAfter(double seconds, grpc::Alarm& alarm);

  // Each returns a failure that ends the call; Header sets `finished_` when the blob is known already.
  Failure TakeHeader(const v1::UploadBlobHeader& header);
  Failure TakeChunk(const std::string& chunk);
  Failure Complete();
  void End(const Failure& failure);

  const Ticket ticket_;
  Core& core_;
  v1::UploadBlobResponse* const response_;
  v1::UploadBlobRequest request_;
  bool have_header_ = false;
  bool known_ = false;
  v1::UploadBlobHeader header_;
  BlobStore::Reservation reservation_;
  proto::Sha256 hash_;
  std::string bytes_;
  // True: somebody finishes the call, or has. Until then this object lives; an alarm may outlive it.
  const std::shared_ptr<std::atomic<bool>> ended_ = std::make_shared<std::atomic<bool>>(false);
  grpc::Alarm header_alarm_, alarm_;
};

}  // namespace espalier::server
