// Says who may call. Every call of the service passes here first.
//
//   with a token file       the caller's token, or its certificate where the file lists one, decides
//   client certificates     (without a token file) every one that the authority signed may verify; nobody is
//                           an administrator
//   neither                 whoever reaches the address may do everything; a client is an address
//
// Thread-safe.
#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "server/security/token_file.h"
#include "server/ticket.h"

namespace espalier::server {

class Gate {
 public:
  // `token_file`: a path; empty: none. `certificates`: clients have to show one that TLS has checked.
  static absl::StatusOr<std::unique_ptr<Gate>> Open(std::string token_file, bool certificates);

  // Fills the ticket and tells the caller the server's version. UNAUTHENTICATED.
  Failure Admit(grpc::CallbackServerContext& context, Ticket& ticket) const;

  // Who asks over a port that has no TLS: the token of an `Authorization` header decides, or everybody may do
  // everything where the server knows no clients. UNAUTHENTICATED; PERMISSION_DENIED where clients are known
  // by certificate alone.
  struct Caller {
    std::string client;  // empty: nobody in particular
    bool admin = false;
  };
  absl::StatusOr<Caller> AdmitPlain(const std::string& authorization) const;

  // Whether callers have to show a token.
  bool has_tokens() const { return !path_.empty(); }

  // Reads the token file again. On error what was known stays.
  absl::Status Reload();

 private:
  Gate(std::string path, bool certificates) : path_(std::move(path)), certificates_(certificates) {}
  std::shared_ptr<const TokenFile> known() const;
  Failure Identify(const grpc::CallbackServerContext& context, Ticket& ticket) const;

  const std::string path_;
  const bool certificates_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TokenFile> known_;  // null: no token file
};

// The value of a call's metadata under `key`; empty when there is none.
std::string MetadataOf(const grpc::CallbackServerContext& context, const std::string& key);

// Whether `text` is a traceparent of W3C Trace Context, version 00.
bool IsTraceparent(const std::string& text);

}  // namespace espalier::server
