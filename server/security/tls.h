// TLS of a listening server: certificate and key from PEM files, and the authority that client certificates
// must come from where they are asked for. The files are looked at again every minute, so that a renewed
// certificate is used without a restart.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace espalier::server {

struct TlsFiles {
  std::string certificate;  // chain, the server's own first; empty: no TLS
  std::string key;
  std::string client_authority;  // empty: clients show no certificate

  bool on() const { return !certificate.empty(); }
};

// INVALID_ARGUMENT when a file is missing or cannot be used, key and certificate do not belong together, or
// only one of them is named. OK without TLS.
absl::Status CheckTls(const TlsFiles& files);

// Requires CheckTls to have been OK. Without TLS: insecure credentials.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const TlsFiles& files);

}  // namespace espalier::server
