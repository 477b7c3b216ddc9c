#include "server/client_identity.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"

namespace espalier::server {

std::string ClientOfPeer(const std::string& peer) {
  if (!absl::StartsWith(peer, "ipv4:") && !absl::StartsWith(peer, "ipv6:"))
    return peer.substr(0, peer.find(':'));
  const std::string plain = absl::StrReplaceAll(peer.substr(5), {{"%5B", "["}, {"%5D", "]"}});
  return plain.substr(0, plain.rfind(':'));
}

std::string ClientOf(const grpc::CallbackServerContext& context) {
  return ClientOfPeer(context.peer());
}

}  // namespace espalier::server
