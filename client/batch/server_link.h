// One server of a batch: a named one, which several slots may share, or a private one of a single slot. It is
// asked whether it lives before it is used, and again after it was lost; a private one is started anew.
//
//   ServerLink link("host:50551", credentials, {});
//   if (link.Ready().ok()) { ... link.connection() ...; }
//   link.Lost();   // a call found it gone
//
// Thread-safe for named servers; a private one belongs to one thread.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/batch/file_cache.h"
#include "client/connection.h"

namespace espalier::client {

class ServerLink {
 public:
  // An empty address: a private server, started with `private_flags`.
  ServerLink(std::string address, Credentials credentials, std::vector<std::string> private_flags)
      : address_(std::move(address)),
        credentials_(std::move(credentials)),
        private_flags_(std::move(private_flags)) {}

  bool is_private() const { return address_.empty(); }
  std::string name() const { return is_private() ? "private" : address_; }

  // OK: it answers. Otherwise why it does not.
  absl::Status Ready();
  bool up();
  void Lost();
  // Asks it once more whether it lives.
  bool Answers();

  Connection& connection() { return *connection_; }  // requires Ready() to have been OK
  std::string processor();                           // as it said; empty before

  // Puts a file into a request: inline, or by its digest after an upload, which is made once.
  grpc::Status Send(const LoadedFile& file, v1::BlobKind kind, v1::Blob& blob, absl::Time deadline);
  // The server no longer holds what was uploaded.
  void ForgetUploads();

 private:
  absl::Status Open();  // requires mutex_
  grpc::Status Probe(v1::GetCapabilitiesResponse& response);

  const std::string address_;
  const Credentials credentials_;
  const std::vector<std::string> private_flags_;
  std::mutex mutex_;
  bool up_ = false;
  std::unique_ptr<Connection> connection_;
  std::string processor_;
  std::set<std::string> uploaded_;  // digests
};

}  // namespace espalier::client
