#include "server/security/token_file.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/digest.h"
#include "verifier/base/status.h"

namespace espalier::server {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMinToken = 16;  // shorter ones can be guessed
constexpr size_t kMaxToken = 256;
constexpr absl::string_view kDigestPrefix = "sha256:";

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("._@-", c);
  });
}

bool IsToken(absl::string_view text) {
  return text.size() >= kMinToken && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
}

}  // namespace

absl::Status TokenFile::AddLine(std::string_view line) {
  const std::vector<std::string> words = absl::StrSplit(absl::string_view(line.data(), line.size()),
                                                        absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.empty() || words[0][0] == '#') return absl::OkStatus();
  if (words.size() != 3) return absl::InvalidArgumentError("three words are needed: name, role, token");
  KnownClient client{.name = words[0], .admin = words[1] == "admin"};
  if (!IsName(client.name)) return absl::InvalidArgumentError("a name has 1 to 64 of A-Z a-z 0-9 . _ @ -");
  if (!client.admin && words[1] != "verify")
    return absl::InvalidArgumentError("the role is neither verify nor admin");
  if (words[2] == "certificate") {
    if (FindCertificate(client.name)) return absl::InvalidArgumentError("the name stands here twice");
    certificates_.push_back(std::move(client));
    return absl::OkStatus();
  }
  std::string digest;
  if (absl::StartsWith(words[2], kDigestPrefix)) {
    digest = words[2].substr(kDigestPrefix.size());
    if (!proto::IsSha256Hex(digest))
      return absl::InvalidArgumentError("sha256: 64 lower-case hexadecimal digits follow");
  } else if (IsToken(words[2])) {
    digest = proto::Sha256Hex(words[2]);
  } else {
    return absl::InvalidArgumentError("a token has 16 to 256 visible characters");
  }
  for (const Token& token : tokens_) {
    if (token.digest == digest) return absl::InvalidArgumentError("the token stands here twice");
  }
  tokens_.push_back({std::move(digest), std::move(client)});
  return absl::OkStatus();
}

absl::StatusOr<TokenFile> TokenFile::Parse(std::string_view text) {
  TokenFile file;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    if (absl::Status added = file.AddLine({line.data(), line.size()}); !added.ok())
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", added.message()));
  }
  if (file.size() == 0) return absl::InvalidArgumentError("there is no client in it, so nobody could call");
  return file;
}

absl::StatusOr<TokenFile> TokenFile::Read(const std::string& path) {
  struct stat info {};
  std::ifstream stream(path, std::ios::binary);
  if (!stream || stat(path.c_str(), &info) != 0)
    return absl::InvalidArgumentError(absl::StrCat("token file '", path, "' cannot be read"));
  if ((info.st_mode & S_IWOTH) != 0)
    return absl::FailedPreconditionError(absl::StrCat("token file '", path, "': everybody may write to it"));
  std::ostringstream text;
  text << stream.rdbuf();
  absl::StatusOr<TokenFile> file = Parse(text.str());
  if (!file.ok())
    return absl::InvalidArgumentError(absl::StrCat("token file '", path, "': ", file.status().message()));
  return file;
}

std::optional<KnownClient> TokenFile::FindToken(std::string_view token) const {
  const std::string digest = proto::Sha256Hex(token);
  const Token* found = nullptr;
  for (const Token& known : tokens_) {
    if (CRYPTO_memcmp(known.digest.data(), digest.data(), digest.size()) == 0) found = &known;
  }
  if (found == nullptr) return std::nullopt;
  return found->client;
}

std::optional<KnownClient> TokenFile::FindCertificate(std::string_view common_name) const {
  for (const KnownClient& client : certificates_) {
    if (client.name == common_name) return client;
  }
  return std::nullopt;
}

}  // namespace espalier::server
