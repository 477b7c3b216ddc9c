#include "server/security/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "absl/strings/str_cat.h"

namespace espalier::server {
namespace {

constexpr unsigned kRefreshSeconds = 60;

absl::Status OpenSslError(const char* flag, const std::string& path) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(flag, " '", path, "': ", text.data()));
}

}  // namespace

absl::Status CheckTls(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty())
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together");
  if (!files.on() && !files.client_authority.empty())
    return absl::InvalidArgumentError("--tls-client-ca needs --tls-cert and --tls-key");
  if (!files.on()) return absl::OkStatus();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  SSL_CTX_free);
  if (context == nullptr) return OpenSslError("TLS", "");
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
    return OpenSslError("--tls-cert", files.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return OpenSslError("--tls-key", files.key);
  if (SSL_CTX_check_private_key(context.get()) != 1) return OpenSslError("--tls-key", files.key);
  if (!files.client_authority.empty() &&
      SSL_CTX_load_verify_locations(context.get(), files.client_authority.c_str(), nullptr) != 1)
    return OpenSslError("--tls-client-ca", files.client_authority);
  return absl::OkStatus();
}

std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const TlsFiles& files) {
  namespace tls = grpc::experimental;
  if (!files.on()) return grpc::InsecureServerCredentials();
  const bool mutual = !files.client_authority.empty();
  auto provider = mutual ? std::make_shared<tls::FileWatcherCertificateProvider>(
                               files.key, files.certificate, files.client_authority, kRefreshSeconds)
                         : std::make_shared<tls::FileWatcherCertificateProvider>(files.key, files.certificate,
                                                                                 kRefreshSeconds);
  tls::TlsServerCredentialsOptions options(std::move(provider));
  options.watch_identity_key_cert_pairs();
  if (mutual) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  } else {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  }
  return tls::TlsServerCredentials(options);
}

}  // namespace espalier::server
