// The clients that a server knows, from a file with one line each:
//
//   # name  role    credential
//   alice   verify  4f1c0d2e...             a token, 16 to 256 visible characters
//   ci      verify  sha256:9f86d081...      a token's SHA-256 digest instead of the token itself
//   root    admin   certificate             no token: the client certificate with this common name
//
// Roles: `verify` may do everything with its own jobs; `admin` with everybody's. Names have 1 to 64 of
// A-Z a-z 0-9 . _ @ -. Empty lines and lines that begin with # do not count.
//
// Immutable after Parse; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace espalier::server {

struct KnownClient {
  std::string name;
  bool admin = false;
};

class TokenFile {
 public:
  // INVALID_ARGUMENT with the line's number; never a token in the message.
  static absl::StatusOr<TokenFile> Parse(std::string_view text);
  // Reads and parses a file. FAILED_PRECONDITION when everybody may write to it.
  static absl::StatusOr<TokenFile> Read(const std::string& path);

  // Whose token this is. The time that it takes says nothing about the tokens that are known: digests are
  // compared in constant time, every one of them.
  std::optional<KnownClient> FindToken(std::string_view token) const;
  std::optional<KnownClient> FindCertificate(std::string_view common_name) const;

  size_t size() const { return tokens_.size() + certificates_.size(); }

 private:
  struct Token {
    std::string digest;  // 64 hexadecimal digits
    KnownClient client;
  };
  absl::Status AddLine(std::string_view line);

  std::vector<Token> tokens_;
  std::vector<KnownClient> certificates_;
};

}  // namespace espalier::server
