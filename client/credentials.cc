#include "client/credentials.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/call_header.h"
#include "client/file_bytes.h"
#include "verifier/base/status.h"

namespace espalier::client {
namespace {

// Whether what is sent to `server` stays on this machine.
bool IsLocal(const std::string& server) {
  return absl::StartsWith(server, "unix:") || absl::StartsWith(server, "127.") ||
         absl::StartsWith(server, "localhost:") || absl::StartsWith(server, "[::1]:");
}

absl::Status ReadInto(const std::string& path, std::string& bytes) {
  if (path.empty()) return absl::OkStatus();
  ESPALIER_ASSIGN_OR_RETURN(bytes, ReadFileBytes(path));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  ESPALIER_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const std::string token(absl::StripAsciiWhitespace(lines[0]));
  if (token.empty() || absl::StrContains(token, ' '))
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "': its first line has to be a token, and only that"));
  return token;
}

}  // namespace

void AddCredentialFlags(CLI::App& command, Credentials& credentials) {
  command.add_flag("--tls", credentials.tls,
                   "encrypt, and check the server against the system's authorities");
  command.add_option("--tls-ca", credentials.tls_ca, "PEM file: the authority of the server's certificate")
      ->envname("ESPALIER_TLS_CA");
  CLI::Option* certificate =
      command.add_option("--tls-cert", credentials.tls_cert, "PEM file: this client's certificate")
          ->envname("ESPALIER_TLS_CERT");
  CLI::Option* key = command.add_option("--tls-key", credentials.tls_key, "PEM file: its private key")
                         ->envname("ESPALIER_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  command
      .add_option("--token-file", credentials.token_file, "file whose first line is the token for the server")
      ->envname("ESPALIER_TOKEN_FILE");
  command.add_flag("--allow-insecure", credentials.allow_insecure,
                   "send the token to another machine without TLS");
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& server,
                                                           const Credentials& credentials,
                                                           const grpc::ChannelArguments& arguments) {
  if (!absl::StrContains(server, ':'))
    return absl::InvalidArgumentError(absl::StrCat("server '", server, "': use HOST:PORT or unix:/PATH"));
  std::string token;
  if (!credentials.token_file.empty()) {
    ESPALIER_ASSIGN_OR_RETURN(token, ReadToken(credentials.token_file));
    if (!credentials.uses_tls() && !credentials.allow_insecure && !IsLocal(server)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token would travel to '", server,
                       "' unencrypted; use --tls-ca FILE or --tls, or --allow-insecure"));
    }
  }
  std::shared_ptr<grpc::ChannelCredentials> channel_credentials = grpc::InsecureChannelCredentials();
  if (credentials.uses_tls()) {
    grpc::SslCredentialsOptions options;
    ESPALIER_RETURN_IF_ERROR(ReadInto(credentials.tls_ca, options.pem_root_certs));
    ESPALIER_RETURN_IF_ERROR(ReadInto(credentials.tls_cert, options.pem_cert_chain));
    ESPALIER_RETURN_IF_ERROR(ReadInto(credentials.tls_key, options.pem_private_key));
    channel_credentials = grpc::SslCredentials(options);
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<CallHeaderFactory>(std::move(token)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(server, channel_credentials, arguments,
                                                                 std::move(interceptors));
}

std::string SkewWarning(const std::string& own, const std::string& server) {
  const auto series = [](const std::string& version) { return version.substr(0, version.rfind('.')); };
  if (server.empty() || series(own) == series(server)) return "";
  return absl::StrCat("the server is espalierd ", server, ", this program is espalier ", own,
                      ": calls that only one of them knows fail");
}

}  // namespace espalier::client
