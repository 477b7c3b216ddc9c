#include "server/security/gate.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/client_identity.h"
#include "verifier/base/status.h"
#include "verifier/verifier.h"

namespace espalier::server {
namespace {

constexpr absl::string_view kBearer = "Bearer ";
constexpr size_t kMaxVersion = 32;

Failure Unauthenticated(const std::string& message) {
  return {absl::UnauthenticatedError(message), {.reason = "UNAUTHENTICATED"}};
}

// The common name of the certificate that the connection was made with; empty when there is none.
std::string CommonName(const grpc::CallbackServerContext& context) {
  const std::shared_ptr<const grpc::AuthContext> peer = context.auth_context();
  if (peer == nullptr) return "";
  const std::vector<grpc::string_ref> names = peer->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  return names.empty() ? "" : std::string(names[0].data(), names[0].size());
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::string MetadataOf(const grpc::CallbackServerContext& context, const std::string& key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

bool IsTraceparent(const std::string& text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  return parts.size() == 4 && parts[0] == "00" && IsHex(parts[1], 32) && IsHex(parts[2], 16) &&
         IsHex(parts[3], 2);
}

absl::StatusOr<std::unique_ptr<Gate>> Gate::Open(std::string token_file, bool certificates) {
  std::unique_ptr<Gate> gate(new Gate(std::move(token_file), certificates));
  ESPALIER_RETURN_IF_ERROR(gate->Reload());
  return gate;
}

absl::Status Gate::Reload() {
  if (path_.empty()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(TokenFile read, TokenFile::Read(path_));
  auto known = std::make_shared<const TokenFile>(std::move(read));
  std::lock_guard<std::mutex> lock(mutex_);
  known_ = std::move(known);
  return absl::OkStatus();
}

std::shared_ptr<const TokenFile> Gate::known() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return known_;
}

absl::StatusOr<Gate::Caller> Gate::AdmitPlain(const std::string& authorization) const {
  const std::shared_ptr<const TokenFile> tokens = known();
  if (tokens == nullptr && certificates_)
    return absl::PermissionDeniedError(
        "this server knows its clients by certificate, which this port has not");
  if (tokens == nullptr) return Caller{.client = "", .admin = true};
  if (!absl::StartsWithIgnoreCase(authorization, kBearer))
    return absl::UnauthenticatedError("this server asks for a token");
  const std::optional<KnownClient> client =
      tokens->FindToken(std::string_view(authorization).substr(kBearer.size()));
  if (!client) return absl::UnauthenticatedError("this server does not know the token");
  return Caller{.client = client->name, .admin = client->admin};
}

Failure Gate::Identify(const grpc::CallbackServerContext& context, Ticket& ticket) const {
  const std::shared_ptr<const TokenFile> known = this->known();
  if (known == nullptr) {
    ticket.admin = !certificates_;
    ticket.client = certificates_ ? absl::StrCat("certificate:", CommonName(context)) : ClientOf(context);
    return {};
  }
  const std::string authorization = MetadataOf(context, "authorization");
  std::optional<KnownClient> client;
  if (!authorization.empty()) {
    if (!absl::StartsWithIgnoreCase(authorization, kBearer))
      return Unauthenticated("authorization: 'Bearer TOKEN' is the only form that this server takes");
    client = known->FindToken(std::string_view(authorization).substr(kBearer.size()));
    if (!client) return Unauthenticated("this server does not know the token");
  } else {
    const std::string name = certificates_ ? CommonName(context) : "";
    if (!name.empty()) client = known->FindCertificate(name);
    if (!client) return Unauthenticated("this server asks for a token (espalier --token-file FILE)");
  }
  ticket.client = client->name;
  ticket.admin = client->admin;
  return {};
}

Failure Gate::Admit(grpc::CallbackServerContext& context, Ticket& ticket) const {
  context.AddInitialMetadata("espalier-version", std::string(Version()));
  ticket.client_version = MetadataOf(context, "espalier-version").substr(0, kMaxVersion);
  if (std::string trace = MetadataOf(context, "traceparent"); IsTraceparent(trace))
    ticket.traceparent = std::move(trace);
  Failure refused = Identify(context, ticket);
  if (!refused.ok()) ticket.client = ClientOf(context);  // for the log
  return refused;
}

}  // namespace espalier::server
