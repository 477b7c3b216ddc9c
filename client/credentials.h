// How a client shows who it is and makes sure of whom it talks to.
//
//   Credentials credentials{.tls_ca = "ca.pem", .token_file = "token"};
//   auto channel = OpenChannel("host:50551", credentials, arguments);
//
// Every call over the channel carries the token and this program's version; an answer from a server of
// another version is told on stderr, once.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace CLI {
class App;
}

namespace espalier::client {

struct Credentials {
  bool tls = false;         // TLS with the system's authorities; any other file turns it on as well
  std::string tls_ca = {};  // PEM: the authority of the server's certificate
  // PEM: this client's own certificate, where the server asks for one.
  std::string tls_cert = {}, tls_key = {};
  std::string token_file = {};  // whose first line is the token
  bool allow_insecure = false;  // send the token over a connection that others can read

  bool uses_tls() const { return tls || !tls_ca.empty() || !tls_cert.empty(); }
};

// --tls and its kin, for a command that calls a named server.
void AddCredentialFlags(CLI::App& command, Credentials& credentials);

// INVALID_ARGUMENT: a file cannot be read, or the token would travel in the clear to another machine.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& server,
                                                           const Credentials& credentials,
                                                           const grpc::ChannelArguments& arguments);

// What a version that a server or client names means for another one: empty when they fit together, else one
// sentence. Versions fit when major and minor number are equal.
std::string SkewWarning(const std::string& own, const std::string& server);

}  // namespace espalier::client
